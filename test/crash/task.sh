# One task of the crash tests. Every seventh fails at first; each leaves a trace of its attempt, then prints what it traced.
# Meanwhile a child and a grandchild run that left its session: they must not outlive the attempt.
set -eu
if [ $((ITEM % 7)) = 3 ] && [ ! -e "$PLACE/tried-$ITEM" ]; then
  : > "$PLACE/tried-$ITEM"
  exit 75
fi
sleep 600 &
child=$!
(setsid sleep 601 > /dev/null 2>&1 & echo $! > "$LEANVIBE_OUT/stray")
echo "$ITEM $LEANVIBE_ATTEMPT" >> "$PLACE/effects"
sleep "0.$((ITEM % 3))5"
kill "$child" "$(cat "$LEANVIBE_OUT/stray")"
echo "\"$LEANVIBE_ATTEMPT\""
