//go:build !windows

package words

// desktopLanguage is unknown: the environment has said all there is to know.
func desktopLanguage() string { return "" }
