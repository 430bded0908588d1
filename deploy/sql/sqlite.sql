-- A sample of the company's table, with the names that Pombo takes when nothing
-- else is set (DB_TABLE, DB_COL_…, STATUS_…).
--
--   sqlite3 notificacoes.db < deploy/sql/sqlite.sql
--   DB_URL=sqlite:notificacoes.db
--
-- A table of your own needs none of this: name its columns in .env, and
-- `pombo sql` prints every statement that Pombo will make on it.

CREATE TABLE IF NOT EXISTS NOTIFICACAO (
    ID          INTEGER PRIMARY KEY,        -- DB_COL_ID: number or text, never reused
    NR_TELEFONE TEXT    NOT NULL,           -- DB_COL_PHONE: any Brazilian spelling, or +country…
    NM_CONTATO  TEXT    NOT NULL,           -- DB_COL_PARAMS, {{1}}
    DS_MENSAGEM TEXT    NOT NULL,           -- DB_COL_PARAMS, {{2}}
    CD_STATUS   INTEGER NOT NULL DEFAULT 1  -- DB_COL_STATUS: 1 pending, 2 sent
    -- Columns that Pombo uses only when .env names them:
    -- , DS_TEMPLATE  TEXT      -- DB_COL_TEMPLATE: another template for this row
    -- , NR_PRIORIDADE INTEGER  -- DB_COL_PRIORITY: 0 to 9, higher goes first
    -- , DT_ENVIAR_APOS TEXT    -- DB_COL_SEND_AFTER
    -- , DT_VALIDADE  TEXT      -- DB_COL_EXPIRES
    -- , ID_MENSAGEM  TEXT      -- DB_COL_MESSAGE_ID: written back
    -- , DT_ENVIO     TEXT      -- DB_COL_SENT_AT: written back
    -- , DS_ERRO      TEXT      -- DB_COL_ERROR: written back
);

-- Pages of pending rows are read by status and key. Without this index each page
-- walks over the rows that were sent long ago.
CREATE INDEX IF NOT EXISTS NOTIFICACAO_PENDENTE ON NOTIFICACAO (CD_STATUS, ID);

-- One row to try the first run with: put your own number in. Pombo sends it.
-- INSERT INTO NOTIFICACAO (NR_TELEFONE, NM_CONTATO, DS_MENSAGEM)
-- VALUES ('(31) 98888-0001', 'Maria', 'seu exame está pronto');
