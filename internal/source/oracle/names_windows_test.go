package oracle

import (
	"testing"

	"golang.org/x/sys/windows/registry"
)

// What an installation of Oracle's client says of itself in the registry is found.
func TestInstalledNames(t *testing.T) {
	const path = `SOFTWARE\ORACLE\KEY_pombo_test`
	if installedNames() != "" {
		t.Skip("a client of Oracle is installed here")
	}
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, path, registry.SET_VALUE)
	if err != nil {
		t.Skip("only an administrator can write there: ", err)
	}
	defer registry.DeleteKey(registry.LOCAL_MACHINE, path)
	defer key.Close()
	if err := key.SetStringValue("ORACLE_HOME", `C:\oracle\client`); err != nil {
		t.Fatal(err)
	}
	if got, want := installedNames(), `C:\oracle\client\network\admin`; got != want {
		t.Errorf("installedNames = %q, want %q", got, want)
	}
	if err := key.SetStringValue("TNS_ADMIN", `D:\tns`); err != nil {
		t.Fatal(err)
	}
	if got, want := installedNames(), `D:\tns`; got != want {
		t.Errorf("installedNames = %q, want %q", got, want)
	}
}
