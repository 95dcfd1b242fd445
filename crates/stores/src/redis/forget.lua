-- KEYS: index. ARGV: offset, then for each entry its id, how, and with what: it goes if it is 'e'nding, has at most that
-- 'v'ersion, that 't'oken and no confirmation, or 'i's exactly that. 'r' takes back that it is
-- ending, 'b' puts back what stood there before the entry with that token.
for at = 2, #ARGV, 3 do
  local entry = redis.call('HGET', KEYS[1], ARGV[at])
  if entry then
    local how, with = ARGV[at + 1], ARGV[at + 2]
    local state, its, token = string.match(entry, '^(%a) %-?%d+ (%d+) %d+ (%w+) ')
    local goes = (how == 'e' and state == 'e')
      or (how == 'v' and its and tonumber(its) <= tonumber(with))
      or (how == 't' and token == with and state == 'p')
      or (how == 'i' and entry == with)
    if how == 'r' and state == 'e' then redis.call('HSET', KEYS[1], ARGV[at], 'c' .. string.sub(entry, 2)) end
    if how == 'b' and state == 'p' and token == string.sub(with, 1, 16) then
      redis.call('HSET', KEYS[1], ARGV[at], string.sub(with, 17))
    end
    if goes then redis.call('HDEL', KEYS[1], ARGV[at]) end
  end
end
return 0
