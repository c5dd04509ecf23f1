-- Generated from the migrations. Read it; change the migrations.

create sequence fences as bigint;

create table a2a_messages (
  tenant_id text collate "C" not null,
  agent text collate "C" not null,
  caller text collate "C" not null,
  message_id text collate "C" not null,
  run_id text collate "C",
  seq bigint not null generated always as identity,
  content jsonb not null,
  created_at timestamp with time zone not null,
  constraint a2a_messages_pkey PRIMARY KEY (tenant_id, agent, caller, message_id)
);
CREATE INDEX a2a_messages_run ON a2a_messages USING btree (tenant_id, run_id, seq);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table a2a_push_configs (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  id text collate "C" not null,
  url text not null,
  sealed text not null,
  key_id text collate "C" not null,
  created_at timestamp with time zone not null,
  constraint a2a_push_configs_pkey PRIMARY KEY (tenant_id, run_id, id)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table a2a_pushes (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  config_id text collate "C" not null,
  seq bigint not null generated always as identity,
  body text not null,
  attempt integer not null default 0,
  due_at timestamp with time zone not null,
  give_up_at timestamp with time zone not null,
  created_at timestamp with time zone not null,
  constraint a2a_pushes_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX a2a_pushes_config ON a2a_pushes USING btree (tenant_id, run_id, config_id, seq);
CREATE INDEX a2a_pushes_due ON a2a_pushes USING btree (due_at);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table a2a_tasks (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  agent text collate "C" not null,
  context_id text collate "C" not null,
  caller text collate "C" not null,
  created_at timestamp with time zone not null,
  constraint a2a_tasks_pkey PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX a2a_tasks_recent ON a2a_tasks USING btree (tenant_id, agent, created_at DESC, run_id DESC);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table access_keys (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  prefix text collate "C" not null,
  hash bytea not null,
  kind text not null,
  name text not null,
  role text not null,
  scopes text[],
  platform boolean not null default false,
  member_id text collate "C",
  networks text[],
  rotated_from text collate "C",
  rev integer not null default 1,
  created_by text not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  constraint access_keys_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=80);
CREATE INDEX access_keys_expiry ON access_keys USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX access_keys_member ON access_keys USING btree (tenant_id, member_id) WHERE (member_id IS NOT NULL);
CREATE UNIQUE INDEX access_keys_prefix ON access_keys USING btree (prefix);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table agents (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  pool text collate "C" not null,
  kind text not null,
  state text collate "C" not null,
  rev integer not null default 1,
  capabilities text[] not null default '{}'::text[],
  labels jsonb not null default '{}'::jsonb,
  slots integer not null,
  used integer not null default 0,
  weight real not null default 1,
  runner_id text collate "C" not null,
  registered_at timestamp with time zone not null,
  last_seen_at timestamp with time zone not null,
  intent text collate "C",
  constraint agents_check CHECK (((used >= 0) AND (used <= slots))),
  constraint agents_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=50);
CREATE INDEX agents_free ON agents USING btree (tenant_id, pool) WHERE ((state = 'healthy'::text) AND (used < slots));
CREATE INDEX agents_runner ON agents USING btree (runner_id);
CREATE INDEX agents_unusual ON agents USING btree (state) WHERE (state <> ALL (ARRAY['healthy'::text, 'offline'::text]));
CREATE INDEX agents_wanted ON agents USING btree (intent) WHERE (intent IS NOT NULL);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table approval_answers (
  tenant_id text collate "C" not null,
  approval_id text collate "C" not null,
  answered_by text collate "C" not null,
  decision text collate "C" not null,
  choice text,
  answer text,
  comment text,
  answered_at timestamp with time zone not null,
  constraint approval_answers_pkey PRIMARY KEY (tenant_id, approval_id, answered_by)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table approvals (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  task_id text collate "C" not null,
  step text collate "C" not null,
  message text not null,
  state text collate "C" not null,
  rev integer not null default 1,
  who text[] not null default '{}'::text[],
  deadline_at timestamp with time zone,
  default_answer text,
  answered_by text,
  comment text,
  created_at timestamp with time zone not null,
  answered_at timestamp with time zone,
  rules jsonb not null default '{}'::jsonb,
  level integer not null default 0,
  requesters text[] not null default '{}'::text[],
  choice text,
  answer text,
  constraint approvals_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX approvals_open ON approvals USING btree (tenant_id, created_at) WHERE (state = 'pending'::text);
CREATE INDEX approvals_recent ON approvals USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX approvals_run ON approvals USING btree (tenant_id, run_id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table artifacts (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  task_id text collate "C" not null,
  step text collate "C" not null,
  name text not null,
  media_type text not null,
  bytes bigint not null,
  sha256 text not null,
  blob text collate "C" not null,
  created_at timestamp with time zone not null,
  constraint artifacts_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX artifacts_blob ON artifacts USING btree (tenant_id, blob);
CREATE INDEX artifacts_diffs ON artifacts USING btree (tenant_id, task_id) WHERE (name = 'proof/diff.patch'::text);
CREATE INDEX artifacts_run ON artifacts USING btree (tenant_id, run_id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create view attempts as
 SELECT past_attempts.tenant_id,
    past_attempts.task_id,
    past_attempts.attempt,
    past_attempts.fence,
    past_attempts.run_id,
    past_attempts.agent_id,
    past_attempts.runner_id,
    past_attempts.outcome,
    past_attempts.leased_at,
    past_attempts.started_at,
    past_attempts.ended_at,
    past_attempts.error,
    past_attempts.usage
   FROM past_attempts
UNION ALL
 SELECT tasks.tenant_id,
    tasks.id AS task_id,
    tasks.attempt,
    tasks.fence,
    tasks.run_id,
    tasks.agent_id,
    tasks.runner_id,
    'succeeded'::text AS outcome,
    tasks.leased_at,
    tasks.started_at,
    tasks.ended_at,
    NULL::jsonb AS error,
    (jsonb_build_object('cpuSeconds', (tasks.cpu_ms / (1000)::double precision), 'maxRssBytes', tasks.max_rss, 'wallSeconds', (tasks.wall_ms / (1000)::double precision)) || COALESCE(tasks.usage, '{}'::jsonb)) AS usage
   FROM tasks
  WHERE ((tasks.state = 'succeeded'::text) AND (tasks.wall_ms IS NOT NULL)); with (security_invoker=true);
grant select to leanvibe_app;
grant select to leanvibe_system;

create table blobs (
  tenant_id text collate "C" not null,
  key text collate "C" not null,
  chunk integer not null,
  bytes bytea not null,
  size bigint,
  sha256 text,
  stored_at timestamp with time zone,
  constraint blobs_pkey PRIMARY KEY (tenant_id, key, chunk)
);
CREATE INDEX blobs_whole ON blobs USING btree (tenant_id, key) WHERE (chunk = '-1'::integer);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table budget_windows (
  tenant_id text collate "C" not null,
  budget_id text collate "C" not null,
  window_start timestamp with time zone not null,
  window_end timestamp with time zone not null,
  held bigint not null,
  spent bigint not null,
  metered bigint not null,
  reported bigint not null,
  hard_limit bigint,
  leased bigint not null default 0,
  constraint budget_windows_pkey PRIMARY KEY (tenant_id, budget_id, window_start)
) with (fillfactor=50);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table budgets (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  scope text collate "C" not null,
  scope_id text collate "C" not null,
  unit text collate "C" not null,
  hard_limit bigint,
  soft_limit bigint,
  held bigint not null default 0,
  spent bigint not null default 0,
  rev integer not null default 1,
  time_window text collate "C" not null default 'total'::text,
  window_start timestamp with time zone,
  window_end timestamp with time zone,
  origin text collate "C" not null default ''::text,
  reserved bigint not null default 0,
  metered bigint not null default 0,
  reported bigint not null default 0,
  soft_told_at timestamp with time zone,
  constraint budgets_check CHECK (((held >= 0) AND (spent >= 0))),
  constraint budgets_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=50);
CREATE UNIQUE INDEX budgets_scope ON budgets USING btree (scope_id, scope, unit, tenant_id, time_window, origin);
CREATE INDEX budgets_soft ON budgets USING btree (tenant_id, id) WHERE ((soft_limit IS NOT NULL) AND (soft_told_at IS NULL));
CREATE INDEX budgets_windowed ON budgets USING btree (tenant_id, id) WHERE (time_window <> ALL (ARRAY['total'::text, 'run'::text]));
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table checkpoints (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text not null,
  run_id text collate "C" not null,
  reason text not null,
  document jsonb not null,
  created_at timestamp with time zone not null,
  constraint checkpoints_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX checkpoints_name ON checkpoints USING btree (tenant_id, name);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table concurrency_groups (
  tenant_id text collate "C" not null,
  key text collate "C" not null,
  max integer not null,
  used integer not null default 0,
  constraint concurrency_groups_pkey PRIMARY KEY (tenant_id, key)
) with (fillfactor=50);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table context_growth (
  tenant_id text collate "C" not null,
  scope text collate "C" not null,
  name text collate "C" not null,
  samples bigint[] not null,
  updated_at timestamp with time zone not null,
  constraint context_growth_pkey PRIMARY KEY (tenant_id, scope, name)
);
CREATE INDEX context_growth_old ON context_growth USING btree (tenant_id, updated_at);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table context_use (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  fence bigint not null,
  run_id text collate "C" not null,
  step text collate "C" not null,
  agent_id text collate "C" not null,
  used bigint not null,
  context_limit bigint not null,
  growth bigint,
  turns_left integer,
  level text collate "C" not null,
  turns integer not null,
  summaries integer not null,
  rev integer not null default 1,
  updated_at timestamp with time zone not null,
  constraint context_use_pkey PRIMARY KEY (tenant_id, task_id, fence)
);
CREATE INDEX context_use_agent ON context_use USING btree (tenant_id, agent_id);
CREATE INDEX context_use_recent ON context_use USING btree (tenant_id, updated_at);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table cursors (
  name text collate "C" not null,
  epoch integer not null,
  tick bigint not null,
  seq bigint not null,
  updated_at timestamp with time zone not null,
  constraint cursors_pkey PRIMARY KEY (name)
);
grant delete, insert, select, update to leanvibe_system;

create table event_batches (
  seq bigint not null generated always as identity,
  xid xid8 not null default pg_current_xact_id(),
  tenant_id text collate "C" not null,
  type text collate "C" not null,
  subject_kind text collate "C" not null,
  run_id text collate "C",
  at timestamp with time zone not null,
  subject_ids text[] not null,
  subject_revs integer[] not null,
  data text[] not null,
  constraint event_batches_subject_ids_check CHECK (((cardinality(subject_ids) >= 1) AND (cardinality(subject_ids) <= 1000)))
) partition by RANGE (at);
CREATE INDEX event_batches_xid ON ONLY event_batches USING btree (xid, seq);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table event_waits (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  run_id text collate "C" not null,
  type text collate "C" not null,
  created_at timestamp with time zone not null,
  after_seq bigint not null,
  constraint event_waits_pkey PRIMARY KEY (tenant_id, task_id)
);
CREATE INDEX event_waits_type ON event_waits USING btree (tenant_id, type);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create view events as
 SELECT ((b.seq + e.n) - 1) AS seq,
    b.xid,
    b.tenant_id,
    b.type,
    b.subject_kind,
    (e.subject_id COLLATE "C") AS subject_id,
    e.subject_rev,
    b.run_id,
    b.at,
    (e.data)::jsonb AS data
   FROM (event_batches b
     CROSS JOIN LATERAL UNNEST(b.subject_ids, b.subject_revs, b.data) WITH ORDINALITY e(subject_id, subject_rev, data, n)); with (security_invoker=true);
grant select to leanvibe_app;
grant select to leanvibe_system;

create table events_default partition of event_batches DEFAULT;
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_system;

create table gateway_routes (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text collate "C" not null,
  definition jsonb not null,
  enabled boolean not null,
  rev integer not null default 1,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint gateway_routes_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX gateway_routes_name ON gateway_routes USING btree (tenant_id, name);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table gateway_settings (
  tenant_id text collate "C" not null,
  stopped_at timestamp with time zone,
  updated_at timestamp with time zone not null,
  constraint gateway_settings_pkey PRIMARY KEY (tenant_id)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table group_members (
  tenant_id text collate "C" not null,
  group_id text collate "C" not null,
  member_id text collate "C" not null,
  added_at timestamp with time zone not null,
  constraint group_members_pkey PRIMARY KEY (tenant_id, group_id, member_id)
);
CREATE INDEX group_members_member ON group_members USING btree (tenant_id, member_id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table idempotent_requests (
  tenant_id text collate "C" not null,
  caller text collate "C" not null,
  key text collate "C" not null,
  fingerprint bytea not null,
  holder text collate "C" not null,
  held_until timestamp with time zone not null,
  status integer,
  headers jsonb,
  body text,
  expires_at timestamp with time zone not null,
  wrote boolean not null default false,
  constraint idempotent_requests_pkey PRIMARY KEY (tenant_id, caller, key)
);
CREATE INDEX idempotent_requests_expiry ON idempotent_requests USING btree (expires_at);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table liveness_findings (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  rev integer not null default 1,
  detector text collate "C" not null,
  subject_kind text collate "C" not null,
  subject_id text collate "C" not null,
  run_id text collate "C",
  state text collate "C" not null,
  action text not null,
  explanation text not null,
  evidence jsonb not null,
  found_at timestamp with time zone not null,
  deadline_at timestamp with time zone,
  answered_at timestamp with time zone,
  answered_by text,
  constraint liveness_findings_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX liveness_findings_due ON liveness_findings USING btree (deadline_at) WHERE (state = 'open'::text);
CREATE INDEX liveness_findings_recent ON liveness_findings USING btree (tenant_id, found_at DESC);
CREATE INDEX liveness_findings_subject ON liveness_findings USING btree (tenant_id, detector, subject_id, found_at DESC);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table liveness_policies (
  tenant_id text collate "C" not null,
  detector text collate "C" not null,
  policy jsonb not null,
  updated_at timestamp with time zone not null,
  constraint liveness_policies_pkey PRIMARY KEY (tenant_id, detector)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table log_chunks (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  fence bigint not null,
  part integer not null,
  run_id text collate "C" not null,
  stream text not null,
  at timestamp with time zone not null,
  bytes bytea not null,
  xid xid8 not null default pg_current_xact_id(),
  constraint log_chunks_pkey PRIMARY KEY (tenant_id, task_id, fence, part)
);
CREATE INDEX log_chunks_run ON log_chunks USING btree (tenant_id, run_id, xid);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table log_epochs (
  epoch integer not null,
  started_at timestamp with time zone not null default now(),
  reason text not null,
  constraint log_epochs_pkey PRIMARY KEY (epoch)
);
grant delete, insert, select, update to leanvibe_system;

create table member_groups (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text collate "C" not null,
  rev integer not null default 1,
  created_at timestamp with time zone not null,
  constraint member_groups_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX member_groups_name ON member_groups USING btree (tenant_id, name);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table members (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text not null,
  email text,
  role text not null,
  rev integer not null default 1,
  created_at timestamp with time zone not null,
  constraint members_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX members_email ON members USING btree (tenant_id, lower(email)) WHERE (email IS NOT NULL);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table merges (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  seq bigint not null generated always as identity,
  run_id text collate "C" not null,
  step text collate "C" not null,
  item integer,
  repo text collate "C" not null,
  branch text collate "C" not null,
  commit_id text collate "C" not null,
  state text collate "C" not null,
  rev integer not null default 1,
  fence bigint not null default 0,
  target text collate "C",
  candidate text collate "C",
  files text[] not null default '{}'::text[],
  reason text,
  queued_at timestamp with time zone not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  history jsonb not null default '[]'::jsonb,
  batch text collate "C",
  most integer,
  landed jsonb,
  constraint merges_pkey PRIMARY KEY (tenant_id, task_id)
) with (fillfactor=70);
CREATE INDEX merges_batch ON merges USING btree (tenant_id, batch) WHERE ((batch IS NOT NULL) AND (ended_at IS NULL));
CREATE INDEX merges_open ON merges USING btree (tenant_id, repo, branch, seq) WHERE (ended_at IS NULL);
CREATE INDEX merges_recent ON merges USING btree (tenant_id, queued_at DESC);
CREATE INDEX merges_run ON merges USING btree (tenant_id, run_id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table migrations (
  version integer not null,
  name text not null,
  risk text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default now(),
  constraint migrations_pkey PRIMARY KEY (version)
);
grant select to leanvibe_system;

create table model_calls (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C",
  task_id text collate "C",
  agent_id text collate "C",
  key_id text collate "C",
  wire text not null,
  asked text not null,
  model text not null,
  account text collate "C" not null,
  provider text not null,
  outcome text not null,
  status integer,
  streamed boolean not null,
  counted boolean not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_tokens bigint not null,
  micro_usd bigint,
  held_micro_usd bigint not null,
  held_tokens bigint not null,
  started_at timestamp with time zone not null,
  ended_at timestamp with time zone not null,
  wait_ms integer not null,
  first_byte_ms integer,
  constraint model_calls_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX model_calls_of_run ON model_calls USING btree (run_id) WHERE (run_id IS NOT NULL);
CREATE INDEX model_calls_recent ON model_calls USING btree (started_at);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table model_contents (
  tenant_id text collate "C" not null,
  call_id text collate "C" not null,
  request text not null,
  answer text not null,
  cut boolean not null,
  kept_until timestamp with time zone not null,
  constraint model_contents_pkey PRIMARY KEY (tenant_id, call_id)
);
CREATE INDEX model_contents_until ON model_contents USING btree (kept_until);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table model_keys (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  prefix text collate "C" not null,
  hash bytea not null,
  name text not null,
  models text[],
  team text,
  workflow text collate "C",
  run_id text collate "C",
  task_id text collate "C",
  attempt integer,
  fence bigint,
  agent_id text collate "C",
  created_by text not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  constraint model_keys_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=70);
CREATE INDEX model_keys_expiry ON model_keys USING btree (expires_at);
CREATE UNIQUE INDEX model_keys_prefix ON model_keys USING btree (prefix);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table model_settings (
  tenant_id text collate "C" not null,
  keep_contents boolean not null,
  keep_days integer not null,
  rev integer not null default 1,
  updated_at timestamp with time zone not null,
  constraint model_settings_pkey PRIMARY KEY (tenant_id)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table moves (
  id text collate "C" not null,
  direction text collate "C" not null,
  place text not null,
  begun_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint moves_direction_check CHECK ((direction = ANY (ARRAY['out'::text, 'in'::text]))),
  constraint moves_pkey PRIMARY KEY (id)
);
grant delete, insert, select, update to leanvibe_system;

create table past_attempts (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  attempt integer not null,
  fence bigint not null,
  run_id text collate "C" not null,
  agent_id text collate "C",
  runner_id text collate "C",
  outcome text collate "C" not null,
  leased_at timestamp with time zone,
  started_at timestamp with time zone,
  ended_at timestamp with time zone not null,
  error jsonb,
  usage jsonb,
  constraint past_attempts_pkey PRIMARY KEY (tenant_id, task_id, fence)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table path_claims (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  seq bigint not null generated always as identity,
  run_id text collate "C" not null,
  step text collate "C" not null,
  repo text collate "C" not null,
  paths text[] not null,
  state text collate "C" not null,
  opens text collate "C",
  created_at timestamp with time zone not null,
  constraint path_claims_pkey PRIMARY KEY (tenant_id, task_id)
);
CREATE INDEX path_claims_repo ON path_claims USING btree (tenant_id, repo, seq);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table pool_hosts (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  runner_id text collate "C" not null,
  template jsonb,
  most integer not null,
  constraint pool_hosts_pkey PRIMARY KEY (tenant_id, pool, runner_id)
);
CREATE INDEX pool_hosts_runner ON pool_hosts USING btree (runner_id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table pool_turns (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  strategy text collate "C" not null,
  stamp text not null,
  state jsonb not null,
  constraint pool_turns_pkey PRIMARY KEY (tenant_id, pool, strategy)
) with (fillfactor=50);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table pools (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  strategy text not null default 'least_connections'::text,
  settings jsonb not null default '{}'::jsonb,
  desired integer,
  completed bigint not null default 0,
  busy_ms bigint not null default 0,
  constraint pools_pkey PRIMARY KEY (tenant_id, name)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table proofs (
  tenant_id text collate "C" not null,
  task_id text collate "C" not null,
  run_id text collate "C" not null,
  wanted integer not null default 1,
  made integer not null default 0,
  sha256 text collate "C",
  retry_at timestamp with time zone,
  created_at timestamp with time zone not null,
  made_at timestamp with time zone,
  constraint proofs_pkey PRIMARY KEY (tenant_id, task_id)
) with (fillfactor=70);
CREATE INDEX proofs_due ON proofs USING btree (created_at) WHERE (made < wanted);
CREATE INDEX proofs_run ON proofs USING btree (tenant_id, run_id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table provider_subscriptions (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  pools text[] not null,
  time_window text collate "C" not null,
  tokens bigint,
  requests bigint,
  window_start timestamp with time zone,
  window_end timestamp with time zone,
  used_tokens bigint not null default 0,
  used_requests bigint not null default 0,
  used_ppm bigint not null default 0,
  told_ppm bigint,
  rev integer not null default 1,
  updated_at timestamp with time zone not null,
  constraint provider_subscriptions_pkey PRIMARY KEY (tenant_id, name)
) with (fillfactor=50);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table questions (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  task_id text collate "C" not null,
  step text collate "C" not null,
  fence bigint not null,
  key text collate "C" not null,
  kind text collate "C" not null,
  message text not null,
  choices jsonb not null,
  free_text boolean not null,
  default_choice text,
  details jsonb not null,
  state text collate "C" not null,
  rev integer not null default 1,
  choice text,
  answer text,
  answered_by text collate "C",
  deadline_at timestamp with time zone not null,
  created_at timestamp with time zone not null,
  answered_at timestamp with time zone,
  who text[] not null default '{}'::text[],
  rules jsonb not null default '{}'::jsonb,
  level integer not null default 0,
  votes jsonb not null default '[]'::jsonb,
  constraint questions_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX questions_key ON questions USING btree (tenant_id, task_id, fence, key);
CREATE INDEX questions_recent ON questions USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX questions_run ON questions USING btree (tenant_id, run_id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table quota_accounts (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  provider text collate "C" not null,
  settings jsonb not null default '{}'::jsonb,
  state jsonb not null default '{}'::jsonb,
  rev integer not null default 1,
  updated_at timestamp with time zone not null,
  constraint quota_accounts_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=50);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table quota_slices (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  holder text collate "C" not null,
  slice jsonb not null,
  lease_until timestamp with time zone not null,
  constraint quota_slices_pkey PRIMARY KEY (tenant_id, account_id, holder)
) with (fillfactor=50);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table rate_buckets (
  key text collate "C" not null,
  tokens double precision not null,
  granted double precision not null,
  at timestamp with time zone not null,
  constraint rate_buckets_pkey PRIMARY KEY (key)
) with (fillfactor=50);
CREATE INDEX rate_buckets_age ON rate_buckets USING btree (at);
grant delete, insert, select, update to leanvibe_system;

create table registry_entries (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  kind text collate "C" not null,
  title text not null,
  description text not null,
  target text not null,
  version text not null,
  card jsonb,
  capabilities text[] not null,
  owner text collate "C" not null,
  task_micro_usd bigint,
  token_micro_usd bigint,
  health text collate "C" not null,
  health_error text,
  checked_at timestamp with time zone,
  check_seconds integer,
  next_check_at timestamp with time zone,
  rev integer not null default 1,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint registry_entries_pkey PRIMARY KEY (tenant_id, name)
);
CREATE INDEX registry_entries_capabilities ON registry_entries USING gin (capabilities);
CREATE INDEX registry_entries_due ON registry_entries USING btree (next_check_at) WHERE (next_check_at IS NOT NULL);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table remote_runners (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  created_by text not null,
  created_at timestamp with time zone not null,
  constraint remote_runners_pkey PRIMARY KEY (tenant_id, id)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table reservations (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  state text collate "C" not null,
  enforcement text collate "C" not null,
  if_lost text collate "C" not null,
  holder text collate "C" not null,
  run_id text collate "C",
  task_id text collate "C",
  attempt integer,
  agent_id text collate "C",
  purpose text not null default ''::text,
  priority smallint not null,
  units text[] not null,
  holds bigint[] not null,
  expected bigint[] not null,
  spent bigint[] not null,
  budget_ids text[] not null,
  budget_units smallint[] not null,
  budget_windows timestamp with time zone[] not null,
  waits_for text collate "C",
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint reservations_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=70);
CREATE INDEX reservations_due ON reservations USING btree (holder, expires_at);
CREATE INDEX reservations_of_task ON reservations USING btree (task_id) WHERE (task_id IS NOT NULL);
CREATE INDEX reservations_recent ON reservations USING brin (created_at) WITH (autosummarize='on');
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table run_calls (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  workflow text collate "C" not null,
  version integer not null,
  constraint run_calls_pkey PRIMARY KEY (tenant_id, run_id, workflow)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table run_requesters (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  requested_by text collate "C" not null,
  constraint run_requesters_pkey PRIMARY KEY (tenant_id, run_id, requested_by)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table run_steps (
  tenant_id text collate "C" not null,
  run_id text collate "C" not null,
  step text collate "C" not null,
  position integer not null,
  state text collate "C" not null default 'pending'::text,
  rev integer not null default 1,
  reason text,
  total integer not null default 0,
  open integer not null default 0,
  failed integer not null default 0,
  cancelled integer not null default 0,
  tolerate integer not null default 0,
  by_condition boolean not null default false,
  outputs jsonb,
  error jsonb,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  constraint run_steps_pkey PRIMARY KEY (tenant_id, run_id, step)
) with (fillfactor=70);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table runners (
  id text collate "C" not null,
  host text not null,
  pid integer not null,
  state text not null,
  registered_at timestamp with time zone not null,
  heartbeat_at timestamp with time zone not null,
  constraint runners_pkey PRIMARY KEY (id)
) with (fillfactor=50);
grant delete, insert, select, update to leanvibe_system;

create table runs (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  workflow text collate "C" not null,
  version integer not null,
  state text collate "C" not null,
  rev integer not null default 1,
  inputs jsonb not null default '{}'::jsonb,
  outputs jsonb,
  error jsonb,
  repo_path text,
  repo_commit text,
  repo_branch text,
  priority smallint,
  parallel integer,
  concurrency_key text,
  labels jsonb not null default '{}'::jsonb,
  budget_ids text[] not null default '{}'::text[],
  origin_kind text,
  origin_id text,
  parent_task text,
  cancel_requested boolean not null default false,
  outcome text,
  created_at timestamp with time zone not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  constraint runs_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=70);
CREATE INDEX runs_open ON runs USING btree (tenant_id, state) WHERE (ended_at IS NULL);
CREATE INDEX runs_parent ON runs USING btree (tenant_id, parent_task) WHERE (parent_task IS NOT NULL);
CREATE INDEX runs_pending ON runs USING btree (tenant_id, concurrency_key, created_at) WHERE (state = 'pending'::text);
CREATE INDEX runs_recent ON runs USING btree (tenant_id, created_at DESC);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table scaling_decisions (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  at timestamp with time zone not null,
  strategy text not null,
  from_agents integer not null,
  to_agents integer not null,
  reason text not null,
  explanation jsonb not null,
  constraint scaling_decisions_pkey PRIMARY KEY (tenant_id, pool, at)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table scaling_policies (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  rev integer not null default 1,
  policy jsonb not null,
  due_at timestamp with time zone not null,
  explanation jsonb,
  counted jsonb,
  updated_at timestamp with time zone not null,
  constraint scaling_policies_pkey PRIMARY KEY (tenant_id, pool)
) with (fillfactor=50);
CREATE INDEX scaling_policies_due ON scaling_policies USING btree (due_at);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table scaling_samples (
  tenant_id text collate "C" not null,
  pool text collate "C" not null,
  at timestamp with time zone not null,
  signals jsonb not null,
  constraint scaling_samples_pkey PRIMARY KEY (tenant_id, pool, at)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table schedule_slots (
  tenant_id text collate "C" not null,
  schedule text collate "C" not null,
  slot_at timestamp with time zone not null,
  state text collate "C" not null,
  reason text,
  run_id text collate "C",
  run_state text collate "C",
  decided_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint schedule_slots_pkey PRIMARY KEY (tenant_id, schedule, slot_at)
);
CREATE INDEX schedule_slots_open ON schedule_slots USING btree (tenant_id, schedule, slot_at) WHERE (state = ANY (ARRAY['started'::text, 'queued'::text]));
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table schedules (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  rev integer not null default 1,
  workflow text collate "C" not null,
  inputs jsonb not null default '{}'::jsonb,
  repo_path text,
  priority smallint,
  parallel integer,
  labels jsonb not null default '{}'::jsonb,
  cron text not null,
  time_zone text not null,
  catch_up text not null,
  catch_up_window_ms bigint not null,
  overlap text not null,
  jitter_ms bigint not null,
  state text collate "C" not null default 'active'::text,
  last_slot_at timestamp with time zone not null,
  due_at timestamp with time zone,
  created_at timestamp with time zone not null,
  constraint schedules_pkey PRIMARY KEY (tenant_id, name)
) with (fillfactor=70);
CREATE INDEX schedules_due ON schedules USING btree (due_at) WHERE (state = 'active'::text);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table service_calls (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  task_id text collate "C" not null,
  fence bigint not null,
  run_id text collate "C" not null,
  pool text collate "C" not null,
  accepted jsonb,
  resume boolean not null,
  token_key bytea not null,
  last_seq integer not null default 0,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  closed_at timestamp with time zone,
  closed_reason text,
  constraint service_calls_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX service_calls_old ON service_calls USING btree (tenant_id, closed_at) WHERE (closed_at IS NOT NULL);
CREATE INDEX service_calls_task ON service_calls USING btree (tenant_id, task_id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table service_messages (
  tenant_id text collate "C" not null,
  call_id text collate "C" not null,
  seq integer not null,
  key text collate "C",
  kind text collate "C" not null,
  body jsonb not null,
  answer jsonb,
  at timestamp with time zone not null,
  constraint service_messages_pkey PRIMARY KEY (tenant_id, call_id, seq)
);
CREATE UNIQUE INDEX service_messages_key ON service_messages USING btree (tenant_id, call_id, key) WHERE (key IS NOT NULL);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table spenders (
  id text collate "C" not null,
  heartbeat_at timestamp with time zone not null,
  constraint spenders_pkey PRIMARY KEY (id)
) with (fillfactor=50);
grant delete, insert, select, update to leanvibe_system;

create table stream_groups (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  filter jsonb not null default '{}'::jsonb,
  epoch integer not null,
  tick bigint not null,
  seq bigint not null,
  ack_ms integer not null,
  max_attempts integer not null,
  rev integer not null default 1,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint stream_groups_pkey PRIMARY KEY (tenant_id, name)
) with (fillfactor=50);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table stream_leases (
  tenant_id text collate "C" not null,
  group_name text collate "C" not null,
  tick bigint not null,
  seq bigint not null,
  state text collate "C" not null,
  token text collate "C" not null,
  member text not null,
  attempt integer not null default 1,
  deadline_at timestamp with time zone not null,
  event jsonb not null,
  constraint stream_leases_pkey PRIMARY KEY (tenant_id, group_name, tick, seq)
) with (fillfactor=80);
CREATE INDEX stream_leases_due ON stream_leases USING btree (tenant_id, group_name, deadline_at);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table stream_settings (
  tenant_id text collate "C" not null,
  stopped_at timestamp with time zone,
  updated_at timestamp with time zone not null,
  constraint stream_settings_pkey PRIMARY KEY (tenant_id)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table task_specs (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  spec jsonb not null,
  constraint task_specs_pkey PRIMARY KEY (tenant_id, id)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table tasks (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  step text collate "C" not null,
  item integer,
  state text collate "C" not null,
  reason text,
  rev integer not null default 1,
  pool text collate "C" not null,
  lane text collate "C" not null,
  priority smallint not null,
  ready_seq bigint not null generated always as identity,
  attempt integer not null default 0,
  losses smallint not null default 0,
  fence bigint not null default 0,
  agent_id text collate "C",
  runner_id text collate "C",
  lease_until timestamp with time zone,
  timeout_ms bigint not null,
  progress_at timestamp with time zone,
  cancel_reason text,
  concurrency text[],
  budget_ids text[],
  holds bigint[],
  spec jsonb,
  output jsonb,
  error jsonb,
  workspace_commit text,
  wall_ms double precision,
  cpu_ms double precision,
  max_rss bigint,
  usage jsonb,
  created_at timestamp with time zone not null,
  leased_at timestamp with time zone,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  constraint tasks_pkey PRIMARY KEY (tenant_id, id)
) with (autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_scale_factor=0.02);
CREATE INDEX tasks_leased ON tasks USING btree (runner_id) WHERE (state = ANY (ARRAY['leased'::text, 'running'::text]));
CREATE INDEX tasks_ready ON tasks USING btree (tenant_id, pool, lane, ready_seq) WHERE (state = 'ready'::text);
CREATE INDEX tasks_waiting ON tasks USING btree (tenant_id, reason, ready_seq) WHERE (state = 'waiting'::text);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table tenants (
  id text collate "C" not null,
  name text not null,
  state text not null default 'active'::text,
  created_at timestamp with time zone not null default now(),
  rev integer not null default 1,
  reason text,
  changed_at timestamp with time zone,
  paused_runs text[],
  purge jsonb,
  constraint tenants_pkey PRIMARY KEY (id)
);
grant delete, insert, select, update to leanvibe_system;

create table ticks (
  id bigint not null,
  epoch integer not null,
  snapshot pg_snapshot not null,
  at timestamp with time zone not null,
  constraint ticks_pkey PRIMARY KEY (id)
);
grant delete, insert, select, update to leanvibe_system;

create table timers (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  kind text collate "C" not null,
  subject_id text collate "C" not null,
  due_at timestamp with time zone not null,
  data jsonb not null default '{}'::jsonb,
  constraint timers_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX timers_due ON timers USING btree (due_at);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table tool_calls (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  run_id text collate "C" not null,
  task_id text collate "C" not null,
  step text collate "C" not null,
  item integer,
  attempt integer not null,
  source text collate "C" not null,
  tool text not null,
  kind text collate "C" not null,
  title text not null,
  state text collate "C" not null,
  calls integer not null,
  failed integer not null,
  refused integer not null,
  started_at timestamp with time zone not null,
  duration_ms integer,
  constraint tool_calls_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=80);
CREATE INDEX tool_calls_run ON tool_calls USING btree (tenant_id, run_id, started_at DESC, id DESC);
CREATE INDEX tool_calls_task ON tool_calls USING btree (tenant_id, task_id, started_at, id);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table webhook_attempts (
  tenant_id text collate "C" not null,
  delivery_id text collate "C" not null,
  attempt integer not null,
  at timestamp with time zone not null,
  duration_ms integer not null,
  status integer,
  error text,
  address text,
  excerpt text,
  constraint webhook_attempts_pkey PRIMARY KEY (tenant_id, delivery_id, attempt)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table webhook_deliveries (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  subscription_id text collate "C" not null,
  position bigint not null generated always as identity,
  type text collate "C" not null,
  order_key text collate "C",
  state text collate "C" not null default 'pending'::text,
  attempt integer not null default 0,
  due_at timestamp with time zone not null,
  give_up_at timestamp with time zone not null,
  attempts_before integer not null default 0,
  body text not null,
  last_status integer,
  last_error text,
  created_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint webhook_deliveries_pkey PRIMARY KEY (tenant_id, id)
) with (fillfactor=80);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries USING btree (tenant_id, subscription_id, due_at) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text, 'retrying'::text]));
CREATE INDEX webhook_deliveries_order ON webhook_deliveries USING btree (tenant_id, subscription_id, order_key, "position") WHERE ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'retrying'::text])) AND (order_key IS NOT NULL));
CREATE INDEX webhook_deliveries_recent ON webhook_deliveries USING btree (tenant_id, subscription_id, "position" DESC);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table webhook_receipts (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  source_id text collate "C" not null,
  delivery_id text collate "C" not null,
  signature text collate "C",
  state text collate "C" not null default 'received'::text,
  attempt integer not null default 0,
  due_at timestamp with time zone not null,
  headers jsonb not null,
  body text not null,
  outcomes jsonb,
  error jsonb,
  received_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint webhook_receipts_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX webhook_receipts_open ON webhook_receipts USING btree (due_at) WHERE (state = ANY (ARRAY['received'::text, 'retrying'::text]));
CREATE INDEX webhook_receipts_recent ON webhook_receipts USING btree (tenant_id, received_at DESC);
CREATE UNIQUE INDEX webhook_receipts_signature ON webhook_receipts USING btree (tenant_id, source_id, signature) WHERE (signature IS NOT NULL);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table webhook_settings (
  tenant_id text collate "C" not null,
  stopped_at timestamp with time zone,
  updated_at timestamp with time zone not null,
  constraint webhook_settings_pkey PRIMARY KEY (tenant_id)
);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table webhook_sources (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text collate "C" not null,
  preset text collate "C" not null,
  secrets text[] not null default '{}'::text[],
  key_id text collate "C" not null,
  secret_version integer not null default 1,
  previous_until timestamp with time zone,
  options jsonb not null default '{}'::jsonb,
  rules jsonb not null default '[]'::jsonb,
  rate_limit integer not null,
  rate_window_ms integer not null,
  enabled boolean not null default true,
  rev integer not null default 1,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint webhook_sources_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX webhook_sources_id ON webhook_sources USING btree (id);
CREATE UNIQUE INDEX webhook_sources_name ON webhook_sources USING btree (tenant_id, name);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table webhook_subscriptions (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  name text collate "C" not null,
  url text not null,
  types text[] not null default '{}'::text[],
  filter text,
  ordering text collate "C" not null,
  format text collate "C" not null,
  signatures text[] not null,
  key_id text collate "C" not null,
  secret_version integer not null default 1,
  previous_until timestamp with time zone,
  state text collate "C" not null default 'active'::text,
  reason text,
  failing_since timestamp with time zone,
  failures integer not null default 0,
  rev integer not null default 1,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint webhook_subscriptions_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX webhook_subscriptions_name ON webhook_subscriptions USING btree (tenant_id, name);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table work_samples (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  key text collate "C" not null,
  run_id text collate "C" not null,
  step text collate "C" not null,
  success boolean,
  created_at timestamp with time zone not null,
  decided_at timestamp with time zone,
  constraint work_samples_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX work_samples_key ON work_samples USING btree (tenant_id, key, decided_at DESC) WHERE (success IS NOT NULL);
CREATE INDEX work_samples_open ON work_samples USING btree (tenant_id, run_id) WHERE (success IS NULL);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

create table workflows (
  tenant_id text collate "C" not null,
  name text collate "C" not null,
  version integer not null,
  hash text collate "C" not null,
  definition jsonb not null,
  source text,
  created_at timestamp with time zone not null,
  constraint workflows_pkey PRIMARY KEY (tenant_id, name, version)
);
CREATE UNIQUE INDEX workflows_hash ON workflows USING btree (tenant_id, name, hash);
row level security enabled and forced;
policy system_access for all to leanvibe_system using (true) with check (true);
policy tenant_isolation for all to leanvibe_app using ((tenant_id = current_setting('app.tenant'::text, true))) with check ((tenant_id = current_setting('app.tenant'::text, true)));
grant delete, insert, select, update to leanvibe_app;
grant delete, insert, select, update to leanvibe_system;

CREATE OR REPLACE FUNCTION public.advance_sequence(name text, reached bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  present bigint;
begin
  execute format('select last_value from public.%I', name) into present;
  if reached > present then
    perform setval(format('public.%I', name)::regclass, reached);
  end if;
end $function$
;

CREATE OR REPLACE FUNCTION public.apply_access_rules()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  target regclass;
begin
  for target in
    select c.oid::regclass from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'migrations'
  loop
    perform public.apply_tenant_policies(target);
    if not exists (
      select from pg_class, aclexplode(relacl) where oid = target and grantee = 'leanvibe_system'::regrole
    ) then
      execute format('grant select, insert, update, delete on %s to leanvibe_system', target);
    end if;
  end loop;
  execute 'grant usage, select on all sequences in schema public to leanvibe_app, leanvibe_system';
end $function$
;

CREATE OR REPLACE FUNCTION public.apply_tenant_policies(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  confined boolean;
  partition boolean;
begin
  if not exists (select from pg_attribute where attrelid = target and attname = 'tenant_id' and not attisdropped) then
    return;
  end if;
  select relrowsecurity and relforcerowsecurity, relispartition into confined, partition from pg_class where oid = target;
  if not confined then
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
  end if;
  if not exists (select from pg_policy where polrelid = target and polname = 'tenant_isolation') then
    execute format(
      'create policy tenant_isolation on %s to leanvibe_app '
      'using (tenant_id = current_setting(''app.tenant'', true)) with check (tenant_id = current_setting(''app.tenant'', true))',
      target);
  end if;
  if not exists (select from pg_policy where polrelid = target and polname = 'system_access') then
    execute format('create policy system_access on %s to leanvibe_system using (true) with check (true)', target);
  end if;
  if not partition and not exists (
    select from pg_class, aclexplode(relacl) where oid = target and grantee = 'leanvibe_app'::regrole
  ) then
    execute format('grant select, insert, update, delete on %s to leanvibe_app', target);
  end if;
end $function$
;

CREATE OR REPLACE FUNCTION public.conflict_unless(ok boolean, what text)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
begin
  if ok then
    return true;
  end if;
  raise exception using errcode = '40001', message = what;
end $function$
;

CREATE OR REPLACE FUNCTION public.drop_event_partition(day date)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '2s'
AS $function$
declare
  name text := 'events_' || to_char(day, 'YYYYMMDD');
begin
  if day >= (now() at time zone 'UTC')::date - 1 then
    raise exception 'events of % are too young to be dropped', day;
  end if;
  perform pg_advisory_xact_lock(7041777);
  if not exists (
    select from pg_inherits where inhparent = 'public.event_batches'::regclass and inhrelid = to_regclass('public.' || name)
  ) then
    return false;
  end if;
  execute format('drop table public.%I', name);
  return true;
end $function$
;

CREATE OR REPLACE FUNCTION public.make_event_partition(day date)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '2s'
AS $function$
declare
  name text := 'events_' || to_char(day, 'YYYYMMDD');
begin
  perform pg_advisory_xact_lock(7041777);
  if to_regclass('public.' || name) is not null then
    return false;
  end if;
  begin
    execute format('create table public.%I (like public.event_batches including defaults including constraints)', name);
    execute format('alter table public.event_batches attach partition public.%I for values from (%L) to (%L)',
      name, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
  exception when check_violation then
    return false;
  end;
  perform public.apply_tenant_policies(format('public.%I', name)::regclass);
  return true;
end $function$
;
