-- Makes a place in a subject's index. KEYS: index, not-befores. ARGV: offset, id, application, creation, version of the
-- security block, token, admitted, hard cap, most ('' for no limit), 1 where one more is refused, 1 where the entries
-- were looked at, then pairs of an entry that is dead and its value.
-- Answers {0, the entry that was there or '', ids that must end}, {1, entries to look at}, {2} too many, {3} revoked.
local id, app = ARGV[2], ARGV[3]
if tonumber(ARGV[7]) < not_before(2) then return { 3 } end
for at = 12, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1] then redis.call('HDEL', KEYS[1], ARGV[at]) end
end
local ending = {}
if ARGV[9] ~= '' then
  local all, others = redis.call('HGETALL', KEYS[1]), {}
  for at = 1, #all, 2 do
    -- State, creation, version, time, token, application.
    local state, created, since, its = string.match(all[at + 1], '^(%a) (%-?%d+) %d+ (%d+) %w+ (.*)$')
    if state and its == app and all[at] ~= id then
      if state ~= 'e' then
        others[#others + 1] = { all[at], all[at + 1], tonumber(created) }
      elseif tonumber(since) + 10000 < now then
        -- Whoever was to end it died before he could.
        ending[#ending + 1] = all[at]
      end
    end
  end
  local excess = #others + 1 - tonumber(ARGV[9])
  if excess > 0 then
    if ARGV[11] ~= '1' then
      local told = { 1 }
      for _, other in ipairs(others) do
        told[#told + 1] = other[1]
        told[#told + 1] = other[2]
      end
      return told
    end
    if ARGV[10] == '1' then return { 2 } end
    table.sort(others, function(a, b) return a[3] < b[3] or (a[3] == b[3] and a[1] < b[1]) end)
    for at = 1, math.min(excess, #others) do
      local other = others[at]
      redis.call('HSET', KEYS[1], other[1], 'e' .. string.sub(other[2], 2))
      ending[#ending + 1] = other[1]
    end
  end
end
local was = redis.call('HGET', KEYS[1], id) or ''
redis.call('HSET', KEYS[1], id,
  string.format('p %s %s %.0f %s %s', ARGV[4], ARGV[5], now, ARGV[6], app))
local cap = math.max(tonumber(ARGV[8]), tonumber(redis.call('HGET', KEYS[1], 'cap') or 0))
redis.call('HSET', KEYS[1], 'cap', string.format('%.0f', cap))
expire(KEYS[1], cap)
table.insert(ending, 1, was)
table.insert(ending, 1, 0)
return ending
