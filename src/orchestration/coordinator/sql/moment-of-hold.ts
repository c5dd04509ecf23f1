/**
 * A moment of the window in which the attempt `d` was leased, and so holds of the budget `b`. Null: the budget has no windows.
 * Most attempts end in the window in which they began: its start stands for all of them.
 */
export const momentOfHold = `case when b.time_window in ('total', 'run') then null
            when d.leased_at >= b.window_start then b.window_start else d.leased_at end`
