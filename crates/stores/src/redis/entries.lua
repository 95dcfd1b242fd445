-- KEYS: values by name, names in order. ARGV: offset, where to begin (as ZRANGEBYLEX has it), how many.
-- Answers names and what is there; what has expired is left out.
local from, left, told = ARGV[2], tonumber(ARGV[3]), {}
while left > 0 do
  local names = redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, 64)
  for _, name in ipairs(names) do
    from = '(' .. name
    local there = redis.call('HGET', KEYS[1], name)
    if there then
      local expires = string.match(there, '^%d+ (%-?%d*) ')
      if left > 0 and (not expires or expires == '' or tonumber(expires) > now) then
        told[#told + 1] = name
        told[#told + 1] = there
        left = left - 1
      end
    end
  end
  if #names < 64 then break end
end
return told
