-- The server's process for the connection by which a lease was last renewed, and whose renewal that was: a holder whose connection has ended is gone before its
-- lease expires. Releases before this one leave both as they are, so they count only where they speak of the holder.
alter table leases
  add column backend integer,
  add column backend_of text;
