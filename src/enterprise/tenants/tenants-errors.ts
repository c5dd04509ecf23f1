import { defineErrors } from '../../foundation/kernel/errors.ts'

export const tenantErrors = defineErrors({
  'tenant-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'there is no tenant of this id',
    next: 'look for it with `leanvibe tenants list`',
  },
  'tenant-exists': {
    kind: 'conflict',
    retry: 'never',
    when: 'a tenant is to be made whose id is taken; ids of deleted tenants are never given away again',
    next: 'choose another id',
  },
  'tenant-default': {
    kind: 'conflict',
    retry: 'never',
    when: 'the tenant `default`, in which the local runner and the token file live, is to be suspended or deleted',
    next: 'remove the data folder or the database instead',
  },
  'member-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'the tenant has no member of this id',
    next: 'look for it with `leanvibe members list`',
  },
  'member-exists': {
    kind: 'conflict',
    retry: 'never',
    when: 'a member of the tenant has this e-mail address already',
    next: 'change the member that is there',
  },
  'group-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'the tenant has no group of members of this name',
    next: 'look for it with `leanvibe groups list`',
  },
  'group-exists': {
    kind: 'conflict',
    retry: 'never',
    when: 'the tenant has a group of members of this name already',
    next: 'add members to the group that is there, or choose another name',
  },
  'group-name-reserved': {
    kind: 'input',
    retry: 'never',
    when: 'a group of members is to be called as a role is, so that nobody could tell which is meant',
    next: 'choose another name',
  },
  'member-beyond-giver': {
    kind: 'forbidden',
    retry: 'never',
    when: 'a role is to be given or taken that allows more than the one who does so may do',
    next: 'let an owner do it',
  },
  'last-owner': {
    kind: 'conflict',
    retry: 'never',
    when: 'the last owner among the members is to leave or to become something less',
    next: 'make somebody else an owner first',
  },
})
