-- One topic: {{table}} is its name with dots and dashes as underscores. Records and their order are written by the functions alone;
-- roles get the right to call them, or to read, never to write the tables.

create table event_log.{{table}} (
  record_offset bigint primary key,
  producer text collate "C" not null check (octet_length(producer) between 1 and 128),
  sequence bigint not null,
  body bytea not null,
  appended_at timestamptz not null default clock_timestamp(),
  unique (producer, sequence)
);
-- Bodies are binary already: no compression, and whole in the row up to nearly a page.
alter table event_log.{{table}} alter column body set storage external;
alter table event_log.{{table}} set (toast_tuple_target = 8160);

create table event_log.{{table}}_head (
  single boolean primary key default true check (single),
  head bigint not null
);
insert into event_log.{{table}}_head (head) values (0);

create table event_log.{{table}}_writers (
  name text collate "C" primary key check (octet_length(name) between 1 and 100),
  epoch bigint not null
);

-- The head row is locked until the commit, so offsets follow each other in the order of commits and no reader can see a later record
-- before an earlier one. A repeat of (producer, sequence) gives the head back and returns the first offset.
create function event_log.{{table}}_append(p_producer text, p_sequence bigint, p_body bytea, p_writer text, p_epoch bigint)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  v_offset bigint;
begin
  update event_log.{{table}}_head set head = head + 1 returning head into v_offset;
  insert into event_log.{{table}} (record_offset, producer, sequence, body) values (v_offset, p_producer, p_sequence, p_body)
    on conflict (producer, sequence) do nothing;
  if not found then
    update event_log.{{table}}_head set head = head - 1;
    select record_offset into strict v_offset from event_log.{{table}} where producer = p_producer and sequence = p_sequence;
    return v_offset;
  end if;
  if p_writer is not null and not exists (select from event_log.{{table}}_writers where name = p_writer and epoch = p_epoch) then
    raise exception 'a newer writer % has opened', p_writer using errcode = 'ML001';
  end if;
  return v_offset;
end
$body$;

-- Takes the head row first, so that no append of an older writer can be under way when the new epoch is given out.
create function event_log.{{table}}_open_writer(p_name text)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  v_epoch bigint;
begin
  perform from event_log.{{table}}_head for update;
  insert into event_log.{{table}}_writers as writers (name, epoch) values (p_name, 1)
    on conflict (name) do update set epoch = writers.epoch + 1
    returning epoch into v_epoch;
  return v_epoch;
end
$body$;

-- Drops at most p_max records below p_before, oldest first; returns how many.
create function event_log.{{table}}_trim(p_before bigint, p_max integer)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  v_count bigint;
begin
  delete from event_log.{{table}} where record_offset in (
    select record_offset from event_log.{{table}} where record_offset < p_before order by record_offset limit p_max
  );
  get diagnostics v_count = row_count;
  return v_count;
end
$body$;

revoke all on function event_log.{{table}}_append(text, bigint, bytea, text, bigint) from public;
revoke all on function event_log.{{table}}_open_writer(text) from public;
revoke all on function event_log.{{table}}_trim(bigint, integer) from public;
