-- A ledger that has lost something must not give the numbers of what was lost to other
-- rows: a process may still have the lost ones in its hands, and what it records would
-- be recorded for the others. The account of serve has no rights on sequences, so the
-- function has those of the account that migrates. No interval of lost rows comes near
-- the gap.

-- +goose Up
-- +goose StatementBegin
DO $do$
DECLARE
    numbered text := format('%I.notification', current_schema());
BEGIN
    EXECUTE format('CREATE FUNCTION skip_numbers() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        SELECT setval(pg_get_serial_sequence(%L, ''seq''), nextval(pg_get_serial_sequence(%L, ''seq'')) + 4294967296)
    $body$', numbered, numbered);
    GRANT EXECUTE ON FUNCTION skip_numbers() TO PUBLIC;
END
$do$;
-- +goose StatementEnd
