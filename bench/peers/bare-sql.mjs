// The bare SQL life cycle: enqueue, claim, complete, three event rows a task, in batches. The baseline of bench dispatch: given; only its layout may change.
// DATABASE_URL=... node bare-sql.mjs [batch 200] [workers 1]
import pg from 'pg'

const url = process.env.DATABASE_URL
const pool = new pg.Pool({ connectionString: url, max: 8 })
await pool.query(`drop table if exists ev; drop table if exists tk;
create table tk(id bigint generated always as identity primary key, tenant int not null, state smallint not null default 0, prio smallint not null default 0, payload jsonb not null, result jsonb, lease timestamptz, created timestamptz not null default now(), started timestamptz, ended timestamptz) with (fillfactor=70);
create index tk_ready on tk(prio,id) where state=0;
create table ev(seq bigint generated always as identity primary key, tenant int not null, type smallint not null, task bigint not null, data jsonb, at timestamptz not null default now())`)
const N = 50000,
  B = +process.argv[2] || 500,
  W = +process.argv[3] || 2
let t = performance.now()
for (let i = 0; i < N; i += 5000)
  await pool.query(
    `with i as (insert into tk(tenant,payload) select 1, jsonb_build_object('n',g) from generate_series(1,5000) g returning id) insert into ev(tenant,type,task) select 1,0,id from i`,
  )
console.log('enqueue/s', (N / ((performance.now() - t) / 1000)).toFixed(0))
t = performance.now()
let done = 0
async function worker() {
  let finished = []
  for (;;) {
    // one round trip: complete the previous batch and claim the next
    const r = await pool.query({
      name: 'step',
      text: `with d as (update tk set state=2, ended=now(), result=x.r from unnest($1::bigint[],$2::jsonb[]) as x(id,r) where tk.id=x.id returning tk.id),
      e1 as (insert into ev(tenant,type,task) select 1,2,id from d),
      c as (update tk set state=1, started=now(), lease=now()+interval '30s' where id = any(array(select id from tk where state=0 order by prio,id limit $3 for update skip locked)) returning id,payload),
      e2 as (insert into ev(tenant,type,task) select 1,1,id from c)
      select id,payload from c`,
      values: [finished.map((f) => f.id), finished.map(() => '{"ok":true}'), B],
    })
    done += finished.length
    finished = r.rows
    if (!finished.length) break
  }
}
await Promise.all(Array.from({ length: W }, worker))
const s = (performance.now() - t) / 1000
console.log(`batch ${B} workers ${W}: ${(done / s).toFixed(0)} tasks/s end to end, 3 events each`)
await pool.end()
