// Oracle's own thin client at work on the double. It prints what it saw, one
// line of JSON; the Go test that runs it knows what that should be.
'use strict';

const oracledb = require(process.argv[2]);
const [, , , connectString, user, password] = process.argv;

oracledb.fetchAsString = [oracledb.CLOB, oracledb.NCLOB, oracledb.NUMBER];
oracledb.outFormat = oracledb.OUT_FORMAT_ARRAY;

// code runs something that should fail and returns the ORA code.
async function code(f) {
  try {
    await f();
    return 0;
  } catch (e) {
    return e.errorNum || e.code || String(e);
  }
}

async function run() {
  const saw = {};
  saw.wrongPassword = await code(() => oracledb.getConnection({ user, password: 'wrong', connectString }));
  saw.wrongService = await code(() => oracledb.getConnection({ user, password, connectString: connectString.replace('/ERP', '/NADA') }));

  const c = await oracledb.getConnection({ user, password, connectString });
  c.module = 'client.js';
  c.action = 'test';

  const page = 'SELECT ID, NR_TELEFONE, DS_MENSAGEM, DT_ENVIADA FROM (SELECT ID, NR_TELEFONE, DS_MENSAGEM, DT_ENVIADA FROM NOTIFICACAO WHERE CD_STATUS = :1 AND ID > :2 ORDER BY ID) WHERE ROWNUM <= :3';
  let r = await c.execute(page, [1, 0, 3]);
  saw.page = r.rows;
  saw.columns = r.metaData.map((m) => `${m.name} ${m.dbTypeName}`);

  // Without LOBs the rows come with the execution; a small fetch takes several trips.
  r = await c.execute('SELECT ID FROM NOTIFICACAO WHERE CD_STATUS = :1 ORDER BY ID', [1], { prefetchRows: 2, fetchArraySize: 2 });
  saw.ids = r.rows.map((row) => row[0]);
  r = await c.execute('SELECT ID FROM NOTIFICACAO WHERE CD_STATUS = :1 ORDER BY ID', [1], { prefetchRows: 100 });
  saw.again = r.rows.length;

  // Columns that are equal to the row before are not sent, also where a fetch begins.
  saw.alike = [];
  r = await c.execute('SELECT ID, CD_STATUS, NM_CONTATO FROM IGUAIS ORDER BY ID', [], { prefetchRows: 2, fetchArraySize: 3 });
  for (const row of r.rows) saw.alike.push(row.join(' ').replace(/ $/, ' null'));
  await c.execute("ALTER SESSION SET NLS_SORT = BINARY CURRENT_SCHEMA = POMBO");
  saw.schema = c.currentSchema;

  const update = 'UPDATE NOTIFICACAO SET CD_STATUS = :1 WHERE ID = :2 AND CD_STATUS = :3';
  for (const key of ['counts', 'countsAgain']) { // the second time the cursor is open
    r = await c.executeMany(update, [[2, 1, 1], [2, 2, 1], [2, 99, 1]], { dmlRowCounts: true });
    saw[key] = r.dmlRowCounts;
  }
  saw.affected = r.rowsAffected;
  await c.rollback();
  // Another text: a cursor that was asked for counts is not executed without them.
  const single = 'UPDATE NOTIFICACAO SET CD_STATUS = :1 WHERE ID = :2';
  r = await c.execute(single, [2, 1], { autoCommit: true });
  saw.committed = r.rowsAffected;
  r = await c.execute('UPDATE NOTIFICACAO SET DS_ERRO = :1, DT_ENVIADA = TO_DATE(:2,\'YYYY-MM-DD HH24:MI:SS\') WHERE ID = :3', ['ação', '2026-11-23 10:20:30', 2]);
  saw.changed = r.rowsAffected;
  await c.commit();

  saw.unknownTable = await code(() => c.execute('SELECT ID FROM NADA'));
  saw.unknownColumn = await code(() => c.execute('SELECT NADA FROM NOTIFICACAO'));
  saw.tooLong = await code(() => c.execute('UPDATE NOTIFICACAO SET DS_ERRO = :1', ['x'.repeat(21)]));
  saw.notOracle = await code(() => c.execute('SELECT ID FROM NOTIFICACAO LIMIT 1'));
  saw.trigger = await code(() => c.execute(single, [2, 3]));
  await c.execute('BEGIN DBMS_APPLICATION_INFO.SET_ACTION(:a); END;', { a: 'done' });
  await c.ping();
  await c.close();
  console.log(JSON.stringify(saw));
}

run().catch((e) => {
  console.error(e);
  process.exit(1);
});
