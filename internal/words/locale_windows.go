package words

import "golang.org/x/sys/windows"

// desktopLanguage is the first language of the user's desktop, as a tag of BCP 47.
func desktopLanguage() string {
	tags, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil || len(tags) == 0 {
		return ""
	}
	return tags[0]
}
