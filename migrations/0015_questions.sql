-- risk: low: adds a table

-- What agents at work ask people. The lease that asks waits for the answer; with the same key it is the same question.
create table questions (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  task_id text collate "C" not null,
  step text collate "C" not null,
  fence bigint not null,
  key text collate "C" not null,
  -- permission, question
  kind text collate "C" not null,
  message text not null,
  choices jsonb not null,
  free_text boolean not null,
  default_choice text,
  details jsonb not null,
  -- pending, answered, expired, withdrawn
  state text collate "C" not null,
  rev int not null default 1,
  choice text,
  answer text,
  answered_by text collate "C",
  deadline_at timestamptz not null,
  created_at timestamptz not null,
  answered_at timestamptz,
  primary key (tenant_id, id)
);
create unique index questions_key on questions (tenant_id, task_id, fence, key);
create index questions_recent on questions (tenant_id, created_at desc, id desc);
create index questions_run on questions (tenant_id, run_id);
