-- Of each producer the newest record that was trimmed: an append that is repeated after its record is gone must not add a second. A producer appends
-- its records one after another, so only its newest can be repeated. One short row for each run of a process that ever appended.

create table event_log.{{table}}_trimmed (
  producer text collate "C" primary key,
  sequence bigint not null,
  record_offset bigint not null
);

-- As before, and a repeat is also known by the record that was trimmed. That is looked up after the insert: a trim that lets the insert through has
-- been committed, and so is seen.
create or replace function event_log.{{table}}_append(p_producer text, p_sequence bigint, p_body bytea, p_writer text, p_epoch bigint)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  v_offset bigint;
  v_first bigint;
  v_inserted boolean;
  v_trimmed event_log.{{table}}_trimmed%rowtype;
begin
  update event_log.{{table}}_head set head = head + 1 returning head into v_offset;
  insert into event_log.{{table}} (record_offset, producer, sequence, body) values (v_offset, p_producer, p_sequence, p_body)
    on conflict (producer, sequence) do nothing;
  v_inserted := found;
  if not v_inserted then
    select record_offset into v_first from event_log.{{table}} where producer = p_producer and sequence = p_sequence;
  end if;
  if v_first is null then
    select * into v_trimmed from event_log.{{table}}_trimmed where producer = p_producer and sequence >= p_sequence;
    if found and v_trimmed.sequence > p_sequence then
      raise exception 'record % of % was trimmed', p_sequence, p_producer using errcode = 'ML002';
    end if;
    v_first := v_trimmed.record_offset;
  end if;
  if v_first is not null then
    if v_inserted then
      delete from event_log.{{table}} where record_offset = v_offset;
    end if;
    update event_log.{{table}}_head set head = head - 1;
    return v_first;
  end if;
  if p_writer is not null and not exists (select from event_log.{{table}}_writers where name = p_writer and epoch = p_epoch) then
    raise exception 'a newer writer % has opened', p_writer using errcode = 'ML001';
  end if;
  return v_offset;
end
$body$;

-- As before, and notes whose records they were.
create or replace function event_log.{{table}}_trim(p_before bigint, p_max integer)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  v_count bigint;
begin
  with dropped as (
    delete from event_log.{{table}} where record_offset in (
      select record_offset from event_log.{{table}} where record_offset < p_before order by record_offset limit p_max
    ) returning producer, sequence, record_offset
  ), noted as (
    insert into event_log.{{table}}_trimmed as trimmed (producer, sequence, record_offset)
      select distinct on (producer) producer, sequence, record_offset from dropped order by producer, sequence desc
      on conflict (producer) do update set sequence = excluded.sequence, record_offset = excluded.record_offset
      where trimmed.sequence < excluded.sequence
  )
  select count(*) into v_count from dropped;
  return v_count;
end
$body$;
