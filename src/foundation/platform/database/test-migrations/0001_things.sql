-- risk: low: tables for the tests of this folder alone
create table things (
  tenant_id text collate "C" not null,
  id text collate "C" not null,
  n bigint not null default 0,
  data jsonb,
  primary key (tenant_id, id)
);
create table notes (
  tenant_id text collate "C" not null,
  seq bigint generated always as identity,
  at timestamptz not null,
  text text,
  primary key (tenant_id, seq, at)
) partition by range (at);
create table notes_default partition of notes default;
create table settings (name text primary key, value text not null);
insert into settings values ('answer', '42');
grant select on settings to leanvibe_app;
create function test_conflict() returns void language plpgsql as $$
begin
  raise exception 'as if two transactions had met' using errcode = 'serialization_failure';
end $$;
