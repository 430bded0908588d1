package oracle

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows/registry"
)

// installedNames returns the folder of tnsnames.ora that the registry names for an
// installation of Oracle's client, or "".
func installedNames() string {
	const oracle = `SOFTWARE\ORACLE`
	all, err := registry.OpenKey(registry.LOCAL_MACHINE, oracle, registry.ENUMERATE_SUB_KEYS)
	if err != nil {
		return ""
	}
	defer all.Close() //nolint:errcheck // it was only read
	homes, err := all.ReadSubKeyNames(-1)
	if err != nil {
		return ""
	}
	for _, name := range append([]string{""}, homes...) {
		if name != "" && !strings.HasPrefix(strings.ToUpper(name), "KEY_") {
			continue
		}
		if folder := namesOf(oracle + `\` + name); folder != "" {
			return folder
		}
	}
	return ""
}

// namesOf returns the folder that one key of the registry names.
func namesOf(path string) string {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, strings.TrimSuffix(path, `\`), registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer key.Close() //nolint:errcheck // it was only read
	if folder, _, err := key.GetStringValue("TNS_ADMIN"); err == nil && folder != "" {
		return folder
	}
	if home, _, err := key.GetStringValue("ORACLE_HOME"); err == nil && home != "" {
		return filepath.Join(home, "network", "admin")
	}
	return ""
}
