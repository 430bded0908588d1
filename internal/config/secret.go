package config

// Secrets returns the names of the variables that are secrets.
func Secrets() []string {
	var names []string
	for _, g := range groups {
		for _, v := range g.variables {
			if v.secret {
				names = append(names, v.name)
			}
		}
	}
	return names
}

// CheckSecret says what is wrong with the value of a secret as far as it shows by
// itself, or nil. The problem does not quote it.
func CheckSecret(name, value string) *Problem {
	v, _, position := lookup(name)
	if position < 0 || v.name != name {
		return trouble("is not a variable of Pombo", "see docs/configuration.md")
	}
	return v.set(&Config{}, value)
}

// SecretFiles returns the files that secrets were read from.
func (c Config) SecretFiles() []string { return c.secretFiles }

// From says where the value of a variable comes from, as Print does: "environment",
// ".env line 3", "file …", "credential …", "default", or "" when it has none.
func (c Config) From(name string) string {
	for _, s := range c.settings {
		if s.name == name {
			return s.from
		}
	}
	return ""
}
