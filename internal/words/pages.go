package words

// menus names the pages of the desk.
var menus = map[string]pair{
	"menu.now":       {"Agora", "Now"},
	"menu.messages":  {"Mensagens", "Messages"},
	"menu.replies":   {"Respostas", "Replies"},
	"menu.failures":  {"Falhas", "Failures"},
	"menu.resends":   {"Reenvios", "Resends"},
	"menu.report":    {"Relatório", "Report"},
	"menu.templates": {"Modelos", "Templates"},
	"menu.runs":      {"Execuções", "Runs"},
	"menu.table":     {"Tabela", "Table"},
	"menu.findings":  {"Conferência", "Comparison"},
	"menu.optouts":   {"Não perturbe", "Opt-outs"},
	"menu.person":    {"Pessoa", "Person"},
	"menu.audit":     {"Auditoria", "Audit"},
	"menu.users":     {"Usuários", "Users"},
	"menu.me":        {"Eu", "Me"},
	"menu.login":     {"Entrar", "Sign in"},
	"menu.logout":    {"Sair", "Sign out"},
	"menu.help":      {"Ajuda", "Help"},
	"menu.more":      {"Mais", "More"},
}

// buttons are the words on them.
var buttons = map[string]pair{
	"button.search":    {"Buscar", "Search"},
	"button.filter":    {"Filtrar", "Filter"},
	"button.refresh":   {"Atualizar", "Refresh"},
	"button.back":      {"Voltar", "Back"},
	"button.retry":     {"Reenviar", "Send again"},
	"button.cancel":    {"Não enviar mais", "Do not send"},
	"button.ask_blip":  {"Perguntar ao Blip agora", "Ask Blip now"},
	"button.pause":     {"Pausar o envio…", "Pause sending…"},
	"button.resume":    {"Retomar o envio", "Resume sending"},
	"button.run":       {"Buscar linhas agora", "Look for rows now"},
	"button.reconcile": {"Conferir agora", "Compare now"},
	"button.show":      {"Mostrar", "Show"},
	"button.copy":      {"Copiar explicação", "Copy explanation"},
	"button.csv":       {"Baixar CSV", "Download CSV"},
	"button.print":     {"Imprimir", "Print"},
	"button.stop":      {"Parar", "Stop"},
	"button.forget":    {"Esquecer…", "Forget…"},
}
