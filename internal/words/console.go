package words

// consoleTexts are what somebody reads who has double-clicked the program.
var consoleTexts = map[string]pair{
	"console.double_click": {
		"O Pombo funciona pelo console. Para iniciá-lo com dois cliques, use pombo-start.bat, ao lado de pombo.exe. O resto se digita no Prompt de Comando, como pombo doctor.",
		"Pombo works from a console. To start it with a double click, use pombo-start.bat beside pombo.exe. Everything else is typed into a Command Prompt, such as pombo doctor."},
	"console.enter": {"Tecle Enter para fechar esta janela.", "Press Enter to close this window."},
}
