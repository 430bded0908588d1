package words

// deskActs are the pages that ask before something is done to one message.
var deskActs = map[string]pair{
	"act_page.retry":            {"Reenviar a mensagem", "Send the message again"},
	"act_page.retry_question":   {"Reenviar a mensagem da linha {1}?", "Send the message of row {1} again?"},
	"act_page.row_read":         {"A linha é lida de novo antes: vale o que está nela agora.", "The row is read again first: what it says now counts."},
	"act_page.may_be_double":    {"Não se sabe se a primeira chegou: a pessoa pode recebê-la duas vezes.", "It is not known whether the first one arrived: the person may get it twice."},
	"act_page.at_once":          {"Ela está na fila e passa a poder ir logo, sem esperar a próxima tentativa.", "It is queued and may then go at once, without waiting for its next try."},
	"act_page.opted_out":        {"A pessoa pediu para não receber: enquanto estiver na lista, não é enviada.", "The person opted out: while they are on the list, it is not sent."},
	"act_page.new_id":           {"Se o Blip a teve antes, vai como outra mensagem, com outro código.", "If Blip had it before, it goes as another message with another id."},
	"act_page.person":           {"O motivo está na pessoa ou no número: se o telefone da linha não mudou, é provável que falhe de novo.", "The reason lies with the person or the number: if the phone of the row has not changed, it will probably fail again."},
	"act_page.no_undo_retry":    {"O que já saiu não pode ser desfeito.", "What has left cannot be undone."},
	"act_page.note":             {"Por quê? (fica na auditoria)", "Why? (stays in the audit trail)"},
	"act_page.retried":          {"A mensagem da linha {1} voltou à fila. Conta como enviada só quando sair.", "The message of row {1} is queued again. It counts as sent only when it has left."},
	"act_page.retried_new":      {"A linha {1} tem uma mensagem nova na fila. Conta como enviada só quando sair.", "Row {1} has a new message in the queue. It counts as sent only when it has left."},
	"act_page.cancel":           {"Não enviar a mensagem", "Do not send the message"},
	"act_page.cancel_question":  {"Não enviar mais a mensagem da linha {1}?", "Send the message of row {1} no more?"},
	"act_page.cancel_code":      {"O código de cancelada é gravado na linha, se houver um.", "The status for cancelled is written to the row, if there is one."},
	"act_page.may_have_arrived": {"Ela já saiu uma vez: pode ter chegado mesmo assim.", "It has left once: it may have arrived all the same."},
	"act_page.no_undo_cancel":   {"Pode ser reenviada depois, com Reenviar.", "It can be sent later, with Send again."},
	"act_page.cancelled":        {"A mensagem da linha {1} não será enviada.", "The message of row {1} will not be sent."},
	"act_page.ask_traced":       {"O Blip conhece a mensagem: o que ele diz está no caminho dela.", "Blip knows the message: what it says stands in its way."},
	"act_page.ask_none":         {"O Blip não tem rastro da mensagem por enquanto. Nada mudou.", "Blip has no trace of the message so far. Nothing has changed."},
	"act_page.ask_failed":       {"O Blip não pôde ser perguntado. Tente de novo em alguns minutos.", "Blip could not be asked. Try again in some minutes."},

	"error.too_late":         {"Isto já não é possível", "This is no longer possible"},
	"error_hint.too_late":    {"A mensagem andou enquanto isso. Veja onde ela está.", "The message has moved on meanwhile. See where it is."},
	"error.retry_right":      {"Sua conta não pode reenviar esta mensagem", "Your account may not send this message again"},
	"error_hint.retry_right": {"O motivo não está na linha. Peça a quem opera o Pombo.", "The reason does not lie in the row. Ask the people who operate Pombo."},
}
