import { defineErrors } from '../../foundation/kernel/errors.ts'

export const budgetErrors = defineErrors({
  'budget-refused': {
    kind: 'limit',
    retry: 'later',
    when: 'a budget has no room for what is to be spent, now or within the time that was waited',
    next: 'wait until others have settled, or raise the budget that the message names (`leanvibe budgets set`)',
  },
  'reservation-ended': {
    kind: 'conflict',
    retry: 'never',
    when: 'a reservation is extended or settled that has ended already',
    next: 'reserve anew; what was spent is on record',
  },
  'reservation-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a reservation asks for no unit, for an amount that is no whole number from 0 on, or for other units than before',
    next: 'correct the amount that the message names',
  },
  'spender-closed': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the process that was asked for a reservation is ending',
    next: 'ask another replica, or again after the restart',
  },
  'budget-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no budget of this tenant has the id',
    next: 'list them with `leanvibe budgets list`',
  },
  'budget-busy': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a limit of agents at work cannot begin because a transaction that is older than it does not end',
    next: 'nothing: it is tried again within seconds',
  },
  'budget-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a budget is set with limits or a window that contradict each other',
    next: 'correct what the message names',
  },
})
