-- risk: low: adds a function

-- Ends the transaction as lost to another one, so that it is tried again. For statements behind which the commit travels:
-- nobody could look at what they answer before it is too late.
create function conflict_unless(ok boolean, what text) returns boolean
language plpgsql volatile as $$
begin
  if ok then
    return true;
  end if;
  raise exception using errcode = '40001', message = what;
end $$;
