-- KEYS: what the replay guard saw. ARGV: offset, until, token. Answers whether it is new.
local there = redis.call('GET', KEYS[1])
if there then
  local till, token = string.match(there, '^(%-?%d+) (%w+)$')
  if token == ARGV[3] then return 1 end
  if till and tonumber(till) > now then return 0 end
end
redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[3])
expire(KEYS[1], tonumber(ARGV[2]))
return 1
