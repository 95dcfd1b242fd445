-- Says a security write again to a server that may have been promoted without it. KEYS: record, queue of deadlines.
-- ARGV: offset, id, row as it was written. A session that is not there was ended since, or lost: it stays so.
local there, row = redis.call('GET', KEYS[1]), ARGV[3]
if not there or not whole(there) then return 0 end
if version(there) >= version(row) then return 0 end
redis.call('SET', KEYS[1], row)
expire(KEYS[1], deadline(row))
redis.call('ZADD', KEYS[2], string.format('%.0f', deadline(row)), ARGV[2])
return 1
