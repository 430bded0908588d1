-- A sample of the company's table on Oracle, 11.2 to 23ai, with the names that
-- Pombo takes when nothing else is set (DB_TABLE, DB_COL_..., STATUS_...), and the
-- rights of an account that may do what Pombo needs and nothing else.
--
-- First a DBA makes that account:
--
--   CREATE USER WHATSAPP IDENTIFIED BY "...";
--   GRANT CREATE SESSION TO WHATSAPP;
--
-- then the owner of the table (here ERP) runs this file:
--
--   sqlplus ERP@host:1521/service @deploy/sql/oracle.sql
--
-- and .env says
--
--   DB_DSN=host:1521/service
--   DB_USER=WHATSAPP
--   DB_PASSWORD='...'
--   DB_TABLE=ERP.NOTIFICACAO
--
-- A table of your own needs none of this: name its columns in .env, and
-- pombo sql prints every statement that Pombo will make on it, and the grants.
--
-- Written without accents, identity columns and anything newer than 11.2.

SET DEFINE OFF
WHENEVER SQLERROR EXIT FAILURE

-- DB_COL_ID:      ID, number, VARCHAR2 or RAW(16), never reused
-- DB_COL_PHONE:   NR_TELEFONE, any Brazilian spelling, or +country and number
-- DB_COL_PARAMS:  NM_CONTATO is {{1}}, DS_MENSAGEM is {{2}}
-- DB_COL_STATUS:  CD_STATUS, 1 pending, 2 sent
CREATE TABLE NOTIFICACAO (
    ID          NUMBER(18)          NOT NULL,
    NR_TELEFONE VARCHAR2(30 CHAR)   NOT NULL,
    NM_CONTATO  VARCHAR2(200 CHAR)  NOT NULL,
    DS_MENSAGEM VARCHAR2(1000 CHAR) NOT NULL,
    CD_STATUS   NUMBER(2) DEFAULT 1 NOT NULL,
    CONSTRAINT PK_NOTIFICACAO PRIMARY KEY (ID)
);

-- Columns that Pombo uses only when .env names them. Those that are written back
-- (the last three) need an UPDATE right of their own:
-- ALTER TABLE NOTIFICACAO ADD (
--     DS_TEMPLATE    VARCHAR2(512 CHAR),  DB_COL_TEMPLATE: another template for this row
--     NR_PRIORIDADE  NUMBER(1),           DB_COL_PRIORITY: 0 to 9, higher goes first
--     DT_ENVIAR_APOS DATE,                DB_COL_SEND_AFTER
--     DT_VALIDADE    DATE,                DB_COL_EXPIRES
--     ID_MENSAGEM    VARCHAR2(36),        DB_COL_MESSAGE_ID
--     DT_ENVIO       DATE,                DB_COL_SENT_AT
--     DS_ERRO        VARCHAR2(500 CHAR)   DB_COL_ERROR
-- )

CREATE SEQUENCE SQ_NOTIFICACAO;

CREATE OR REPLACE TRIGGER TG_NOTIFICACAO_ID
BEFORE INSERT ON NOTIFICACAO FOR EACH ROW WHEN (NEW.ID IS NULL)
BEGIN
    :NEW.ID := SQ_NOTIFICACAO.NEXTVAL;
END;
/

-- Pages of pending rows are read by status and key. Without this index each page
-- walks over the rows that were sent long ago. Add ONLINE on a table in use.
CREATE INDEX IX_NOTIFICACAO ON NOTIFICACAO (CD_STATUS, ID);

GRANT SELECT, UPDATE (CD_STATUS) ON NOTIFICACAO TO WHATSAPP;

-- One row to try the first run with: put your own number in. Pombo sends it, and
-- sees it only after the COMMIT.
-- INSERT INTO NOTIFICACAO (NR_TELEFONE, NM_CONTATO, DS_MENSAGEM)
-- VALUES ('(31) 98888-0001', 'Maria', 'seu exame esta pronto');
-- COMMIT;
