-- KEYS: record, queue of deadlines. ARGV: offset, id, and what must hold: an owner ('' for any), the latest version of
-- its security block, and an epoch that it was admitted before ('' for any).
-- Answers the row that was there and whether it was live, or nothing.
local there = redis.call('GET', KEYS[1])
if not there then
  redis.call('ZREM', KEYS[2], ARGV[2])
  return false
end
if whole(there) then
  if ARGV[3] ~= '' and owner(there) ~= ARGV[3] then return false end
  if ARGV[4] ~= '' and version(there) > tonumber(ARGV[4]) then return false end
  if ARGV[5] ~= '' and admitted(there) >= tonumber(ARGV[5]) then return false end
elseif ARGV[3] ~= '' then
  return damaged()
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return there
