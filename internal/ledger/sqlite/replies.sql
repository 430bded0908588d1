-- See both/replies.sql.

-- name: reply_candidates
-- What went, or is to go, to a phone: the newest.
WITH RECURSIVE block (b) AS (
    SELECT (SELECT max(seq) FROM notification) >> 12
    UNION ALL SELECT b - 1 FROM block WHERE b > (SELECT min(seq) FROM notification) >> 12
)
SELECT seq, state, attempt, settle, reply, phone, source, row_key, generation, message, history
FROM block CROSS JOIN notification WHERE (seq >> 12) = b AND phone = ?1 ORDER BY b DESC, seq DESC LIMIT ?2;

-- name: seq_of_reference
-- The message that Blip calls so.
WITH RECURSIVE block (b) AS (
    SELECT (SELECT max(seq) FROM message_reference) >> 12
    UNION ALL SELECT b - 1 FROM block WHERE b > (SELECT min(seq) FROM message_reference) >> 12
)
SELECT seq FROM block CROSS JOIN message_reference WHERE (seq >> 12) = b AND reference = ?1 LIMIT 1;

-- name: keep_reference
-- A receipt says what else Blip calls the message.
INSERT INTO message_reference (seq, reference) VALUES (?1, ?2) ON CONFLICT (seq) DO NOTHING;

-- name: keep_identity
-- A receipt says what Blip calls the person, which it was asked before the message was sent.
INSERT INTO identity (phone, name, asked) SELECT phone, ?2, created FROM notification WHERE seq = ?1 AND phone IS NOT NULL
ON CONFLICT (phone) DO NOTHING;

-- name: start_reply_poll
-- A message has arrived, and its recipient's answer is waited for.
INSERT INTO reply_poll (seq, next, polls) VALUES (?1, ?2, 0) ON CONFLICT (seq) DO NOTHING;
