-- What is done to many notifications at once.

-- name: bulk_ended
-- What a plan is made of: those of queue class $1 after $2 and up to $3.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (
    SELECT seq FROM notification WHERE lane = $1 AND not_before IS NULL AND seq > $2 AND seq <= $3 ORDER BY not_before, seq LIMIT $4
) ORDER BY seq;

-- name: bulk_waiting
-- The same of what waits, in the queue classes $1 to $5.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (
    SELECT seq FROM notification WHERE lane BETWEEN $1 AND $5 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4
) ORDER BY seq;

-- name: bulk_later
-- Where the newest message of a row stands, if it is of a later generation.
SELECT state FROM notification WHERE row_key = $1 AND source = $2 AND generation > $3 ORDER BY generation DESC LIMIT 1;

-- name: bulk_draw
-- An operator starts one; nobody works on it before it is open.
INSERT INTO bulk (state, plan, who, note, changed, created) VALUES ('drawn', $1, $2, $3, 0, $4) RETURNING id;

-- name: bulk_open
-- All of its notifications are there.
UPDATE bulk SET state = 'open', changed = $2 WHERE id = $1 AND state = 'drawn';

-- name: bulk_drop_items
-- Of one that was never opened, because its process died; after an hour.
DELETE FROM bulk_item WHERE bulk IN (SELECT id FROM bulk WHERE state = 'drawn' AND created < $1);

-- name: bulk_drop
-- The same.
DELETE FROM bulk WHERE state = 'drawn' AND created < $1;

-- name: bulk_next
-- The one that is worked on.
SELECT id, state, plan, who, note, changed, created, finished FROM bulk WHERE state = 'open' ORDER BY id LIMIT 1;

-- name: bulk_list
-- The newest.
SELECT id, state, plan, who, note, changed, created, finished FROM bulk WHERE state <> 'drawn' ORDER BY id DESC LIMIT $1;

-- name: bulk_one
-- One of them.
SELECT id, state, plan, who, note, changed, created, finished FROM bulk WHERE id = $1 AND state <> 'drawn';

-- name: bulk_left
-- The next notifications of one.
SELECT seq, state, attempt, result, sent FROM bulk_item WHERE bulk = $1 AND result = '' ORDER BY seq LIMIT $2;

-- name: bulk_items
-- All notifications of one, in pages.
SELECT seq, state, attempt, result, sent FROM bulk_item WHERE bulk = $1 AND seq > $2 ORDER BY seq LIMIT $3;

-- name: bulk_item_end
-- What became of one notification, in the transaction in which that happens. A bulk that was
-- stopped does nothing more.
UPDATE bulk_item SET result = $3, sent = $4 WHERE bulk = $1 AND seq = $2 AND result = ''
    AND EXISTS (SELECT 1 FROM bulk WHERE id = $1 AND state = 'open');

-- name: bulk_generation
-- The notification of a generation.
SELECT seq FROM notification WHERE row_key = $1 AND source = $2 AND generation = $3;

-- name: bulk_counts
-- How far one is.
SELECT result, count(*) FROM bulk_item WHERE bulk = $1 GROUP BY result;

-- name: bulk_outcome
-- Where what was sent again stands.
SELECT notification.state, count(*) FROM bulk_item JOIN notification ON notification.seq = bulk_item.sent
WHERE bulk_item.bulk = $1 AND bulk_item.sent > 0 GROUP BY notification.state;

-- name: bulk_stop
-- An operator stops one.
UPDATE bulk SET state = 'stopped', finished = $2 WHERE id = $1 AND state = 'open';

-- name: bulk_finish
-- Nothing of one is left.
UPDATE bulk SET state = 'done', finished = $2 WHERE id = $1 AND state = 'open'
    AND NOT EXISTS (SELECT 1 FROM bulk_item WHERE bulk = $1 AND result = '');
