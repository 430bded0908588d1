package oracletest_test

import (
	"database/sql"
	"errors"
	"fmt"
	"log"

	go_ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/network"

	"pombo/test/oracletest"
)

// A table of the company's, a program that reads and settles it, and a trigger
// that does not like that.
func Example() {
	d, err := oracletest.Start(oracletest.Options{Version: oracletest.Oracle11, Charset: oracletest.WE8MSWIN1252})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	table, err := d.NewTable("ERP.NOTIFICACAO", "ID NUMBER(19) PRIMARY KEY", "TX VARCHAR2(80)", "CD_STATUS CHAR(1) NOT NULL")
	if err != nil {
		log.Fatal(err)
	}
	d.Synonym("NOTIFICACAO", "ERP.NOTIFICACAO")
	if err := table.Insert(oracletest.Row{"ID": 7, "TX": "Olá, João – às 10h", "CD_STATUS": "1"}); err != nil {
		log.Fatal(err)
	}
	table.BeforeUpdate(func(_, after oracletest.Row) error {
		if after["CD_STATUS"] == "9" {
			return oracletest.Errorf(20001, "código inválido")
		}
		return nil
	})

	db := sql.OpenDB(go_ora.NewConnector("oracle://pombo:s3nha@" + d.Addr() + "/ERP"))
	defer func() { _ = db.Close() }()
	var text string
	if err := db.QueryRow("SELECT TX FROM NOTIFICACAO WHERE ID = :1", 7).Scan(&text); err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)

	_, err = db.Exec("UPDATE NOTIFICACAO SET CD_STATUS = :1 WHERE ID = :2", "9", 7)
	if e, ok := errors.AsType[*network.OracleError](err); ok {
		fmt.Println(e.ErrCode)
	}

	// The line breaks after the commit and before its answer.
	update, err := db.Prepare("UPDATE NOTIFICACAO SET CD_STATUS = :1 WHERE ID = :2")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = update.Close() }()
	d.Fault(oracletest.Write, oracletest.CutAfter, 1)
	_, err = update.Exec("2", 7)
	row, _ := table.Row(7)
	fmt.Println(err, row["CD_STATUS"])

	// Output:
	// Olá, João – às 10h
	// 20001
	// EOF 2
}
