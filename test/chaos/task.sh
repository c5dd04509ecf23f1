# One task of the replica chaos: leaves a trace of its beginning and its end, takes its time, and prints its attempt.
# One that is to fail does so the first time, for good reasons: it is tried again.
set -eu
echo "begun $LEANVIBE_ATTEMPT" >> "$PLACE/effects"
sleep "$SECONDS_LONG"
if [ "$FAILS" = true ] && [ ! -e "$PLACE/tried/$LEANVIBE_TASK_ID" ]; then
  : > "$PLACE/tried/$LEANVIBE_TASK_ID"
  exit 75
fi
echo "done $LEANVIBE_ATTEMPT" >> "$PLACE/effects"
echo "\"$LEANVIBE_ATTEMPT\""
