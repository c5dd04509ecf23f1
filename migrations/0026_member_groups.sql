-- risk: low: adds tables, and columns with defaults to a table of few rows

-- People of a tenant under one name: who may answer, and who is asked when nobody does.
create table member_groups (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text collate "C" not null,
  rev int not null default 1,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index member_groups_name on member_groups (tenant_id, name);

create table group_members (
  tenant_id text collate "C" not null,
  group_id text collate "C" not null,
  member_id text collate "C" not null,
  added_at timestamptz not null,
  primary key (tenant_id, group_id, member_id)
);
create index group_members_member on group_members (tenant_id, member_id);

-- Who may answer an agent, and what happens while nobody does: as with approvals (see approval-rules-contract.ts).
alter table questions
  -- Users, roles and groups; empty: whoever may approve.
  add column who text[] not null default '{}',
  add column rules jsonb not null default '{}',
  -- How often others were asked as well, because nobody had answered.
  add column level int not null default 0;
