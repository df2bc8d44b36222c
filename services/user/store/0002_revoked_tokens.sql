-- Access tokens made before this are void: the user was disabled, or has other roles now. Null where none are.
alter table users add column tokens_after timestamptz;
create index users_with_revoked_tokens on users (tokens_after desc) where tokens_after is not null;
