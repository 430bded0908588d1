//go:build !windows

package oracle

// installedNames returns "": only Windows has a place where every installation of
// Oracle's client says where it is.
func installedNames() string { return "" }
