-- What people send to the bot: which notification it answers, and which answer stands.

-- name: reply_known
-- Whether a message has come before.
SELECT 1 FROM reply WHERE inbound = $1;

-- name: reply_target
-- The notification that a reply may answer.
SELECT seq, state, attempt, settle, reply, phone, source, row_key, generation, message, history FROM notification WHERE seq = $1;

-- name: reply_next
-- The next generation of a row.
SELECT seq FROM notification WHERE row_key = $1 AND source = $2 AND generation > $3 ORDER BY generation LIMIT 1;

-- name: reply_code
-- The code that the answer gives which stands.
SELECT code FROM reply WHERE number = $1;

-- name: identity_of
-- What Blip has called a phone.
SELECT name FROM identity WHERE phone = $1;

-- name: phone_of_identity
-- Whose identity it is that does not begin with a number. It reads the whole table: few have one.
SELECT phone FROM identity WHERE name = $1 LIMIT 1;

-- name: keep_reply
-- A reply is kept. One that has come before changes nothing.
INSERT INTO reply (inbound, received, at, phone, identity, bsuid, kind, form, body, opt_out, matched, source, row_key, generation, counts, code, due, template)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (inbound) DO NOTHING RETURNING number;

-- name: answering
-- Two replies to one notification wait for each other; the later one finds that another one stands.
UPDATE notification SET reply = reply
WHERE seq = $1 AND reply IS NOT DISTINCT FROM CAST($2 AS bigint) AND settle IS NOT DISTINCT FROM CAST($3 AS text);

-- name: answer
-- A reply stands as the answer to a notification, and its row may be owed it.
UPDATE notification SET reply = $1, settle_at = CASE WHEN $2 = 1 THEN coalesce(settle_at, CAST($3 AS bigint)) ELSE settle_at END,
    history = history || '[' || CAST($3 AS bigint) || ',"' || state || '",' || attempt || ',"",' || CAST($4 AS text) || ',true]'
WHERE seq = $5;

-- name: supersede_reply
-- Another answer stands from now on. Whether this one was written may not be known.
UPDATE reply SET counts = 0, due = CASE WHEN due = 1 THEN 2 ELSE due END WHERE number = $1;

-- name: reply_unsure
-- The codes of answers that may have been written to a row before another one took their place.
SELECT code FROM reply WHERE row_key = $1 AND source = $2 AND row_key <> '' AND due = 2 AND code <> '';

-- name: reply_written
-- The row has the answer.
UPDATE reply SET due = 0, written = $1 WHERE number = $2 AND due = 1;

-- name: reply_unwritten
-- The row was left alone, and nothing else is owed to it.
UPDATE reply SET due = 0 WHERE number = $1 AND due = 1 AND NOT EXISTS (SELECT 1 FROM notification
    WHERE notification.row_key = reply.row_key AND notification.source = reply.source AND notification.reply = reply.number AND settle_at IS NOT NULL);

-- name: answered
-- Delivery of a reminder: whether the row that it reminds of has an answer.
SELECT reply IS NOT NULL FROM notification WHERE row_key = $1 AND source = $2 ORDER BY generation DESC LIMIT 1;

-- name: reply_list
-- Replies, the newest first.
SELECT number, received, at, phone, identity, bsuid, kind, form, body, opt_out, matched, source, row_key, generation, counts, code, due, written
FROM reply WHERE number < $1 AND received >= $2 AND received < $3 ORDER BY number DESC LIMIT $4;

-- name: reply_list_unmatched
-- Those of which it is not known what they answer.
SELECT number, received, at, phone, identity, bsuid, kind, form, body, opt_out, matched, source, row_key, generation, counts, code, due, written
FROM reply WHERE matched = '{Unmatched}' AND number < $1 AND received >= $2 AND received < $3 ORDER BY number DESC LIMIT $4;

-- name: reply_list_of
-- Those to one notification.
SELECT number, received, at, phone, identity, bsuid, kind, form, body, opt_out, matched, source, row_key, generation, counts, code, due, written
FROM reply WHERE row_key = $5 AND source = $6 AND row_key <> '' AND generation = $7 AND number < $1 AND received >= $2 AND received < $3 ORDER BY number DESC LIMIT $4;

-- name: reply_counts
-- How many answers that stand give each code, by template, of those that came in within a time.
SELECT template, code, count(*) FROM reply WHERE received >= $1 AND received < $2 AND counts = 1 GROUP BY template, code ORDER BY count(*) DESC, template, code;

-- name: forget_replies
-- A person is forgotten: by phone, and by what else the person is called ($2). A code that is owed
-- to a row is still written, the text is not.
UPDATE reply SET body = '', phone = NULL, identity = NULL, bsuid = NULL, due = CASE WHEN due = 1 AND code = '' THEN 0 ELSE due END
WHERE phone = $1 OR identity = $2 OR identity IN (SELECT name FROM identity WHERE phone = $1) OR bsuid IN (SELECT bsuid FROM business_user WHERE phone = $1);

-- name: forget_reply_poll
-- A person is forgotten: nobody asks for their messages any more.
DELETE FROM reply_poll WHERE seq = $1;

-- name: remove_replies
-- What came in long ago, but for what a row is still owed.
DELETE FROM reply WHERE number IN (SELECT number FROM reply WHERE received < $1 AND due <> 1 ORDER BY received LIMIT $2);

-- name: remove_references
-- Of notifications that were taken in long ago.
DELETE FROM message_reference WHERE seq IN (SELECT seq FROM message_reference WHERE seq < $1 ORDER BY seq LIMIT $2);

-- name: remove_reply_polls
-- Of notifications that were taken in long ago.
DELETE FROM reply_poll WHERE seq IN (SELECT seq FROM reply_poll WHERE seq < $1 ORDER BY seq LIMIT $2);

-- name: reply_polls_due
-- The notifications whose recipients' messages are to be read now, the longest due first.
SELECT poll.seq, poll.polls, notification.phone, identity.name, notification.reply IS NOT NULL, notification.message, notification.history
FROM reply_poll AS poll JOIN notification ON notification.seq = poll.seq LEFT JOIN identity ON identity.phone = notification.phone
WHERE poll.next <= $1 ORDER BY poll.next, poll.seq LIMIT $2;

-- name: reply_poll_next
-- When the recipient's messages are read next.
UPDATE reply_poll SET next = $1, polls = polls + 1 WHERE seq = $2;
