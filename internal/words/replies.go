package words

import "pombo"

// replyTexts is about what people answer.
var replyTexts = map[string]pair{
	"reply_kind.text":     {"texto escrito", "written text"},
	"reply_kind.button":   {"botão", "button"},
	"reply_kind.list":     {"opção de uma lista", "choice from a list"},
	"reply_kind.media":    {"imagem, áudio ou arquivo", "picture, sound or file"},
	"reply_kind.location": {"localização", "place on a map"},
	"reply_kind.contact":  {"contato", "contact"},
	"reply_kind.reaction": {"reação", "reaction"},

	"reply_match.by_id":        {"cita o código da mensagem", "it quotes the id of the message"},
	"reply_match.by_payload":   {"o botão era desta mensagem", "the button was this message's"},
	"reply_match.by_reference": {"o Blip diz de qual mensagem é", "Blip says which message it is to"},
	"reply_match.by_person":    {"era a única mensagem com botões à espera de resposta desta pessoa", "it was the only message with buttons that waited for this person's answer"},
	"reply_match.unmatched":    {"não se sabe a qual mensagem responde", "it is not known which message it answers"},

	"reply.opt_out": {"pedido para não receber mais", "request for no more messages"},

	"replies.intro":          {"O que as pessoas responderam ao bot, as mais recentes primeiro. A palavra de um botão aparece; o que a pessoa escreveu só aparece na página da mensagem ou da resposta, para quem pode mostrar.", "What people answered to the bot, the latest first. The word of a button is shown; what somebody wrote is shown only on the page of the message or of the reply, to those who may uncover it."},
	"replies.all":            {"Todas", "All"},
	"replies.unmatched":      {"Sem mensagem", "Unmatched"},
	"replies.unmatched_note": {"Respostas que poderiam ser de duas mensagens, ou de nenhuma. O Pombo não adivinha: se a pessoa respondeu a um lembrete, fale com ela.", "Replies that could be to two messages, or to none. Pombo does not guess: if the person answered a reminder, talk to them."},
	"replies.filter":         {"Quais respostas", "Which replies"},
	"replies.caption":        {"Respostas", "Replies"},
	"replies.received":       {"Chegou", "Came in"},
	"replies.answer":         {"Resposta", "Answer"},
	"replies.row":            {"Linha", "Row"},
	"replies.phone":          {"Telefone", "Phone"},
	"replies.code":           {"Código", "Code"},
	"replies.match":          {"Como se sabe", "How it is known"},
	"replies.one":            {"Resposta {1}", "Reply {1}"},
	"replies.uncover":        {"Mostrar telefone e texto", "Show phone and text"},
	"replies.uncovered":      {"Telefone e texto, só nesta página", "Phone and text, on this page only"},
	"replies.none":           {"Nenhuma resposta.", "No replies."},
	"replies.none_text":      {"As respostas chegam por um dos caminhos de docs/replies.pt-BR.md.", "Replies come in by one of the ways of docs/replies.md."},
	"replies.pages":          {"Páginas de respostas", "Pages of replies"},
	"replies.newest":         {"As mais recentes", "The latest"},
	"replies.older":          {"Mais antigas", "Older"},

	"message.replies":         {"A resposta", "The answer"},
	"message.reply_covered":   {"coberto: {1}", "covered: {1}"},
	"message.reply_at":        {"Às {1}; {2}.", "At {1}; {2}."},
	"message.reply_counts":    {"É a resposta que vale.", "It is the answer that counts."},
	"message.reply_counts_no": {"Não muda a resposta que vale.", "It does not change the answer that counts."},
	"message.reply_written":   {"Gravada na linha às {1}.", "Written to the row at {1}."},
	"message.reply_code":      {"Código {1} gravado na linha às {2}.", "Code {1} written to the row at {2}."},
	"message.reply_due":       {"Ainda não gravada na linha.", "Not written to the row yet."},

	"step.replied":  {"A pessoa respondeu: {1}.", "The person answered: {1}."},
	"step.reaction": {"A pessoa reagiu.", "The person reacted."},

	"report.answered":     {"respondidas", "answered"},
	"report.answered_is":  {"a pessoa respondeu, por botão ou por escrito; contada no mês em que a resposta chegou, como parte das entregues deste mês", "the person answered, by a button or in writing; counted in the month in which the answer came, as a share of those delivered in this month"},
	"report.answers":      {"Respostas", "Answers"},
	"report.answers_code": {"Código na linha", "Code in the row"},
	"report.answers_none": {"sem código", "no code"},
	"report.answers_n":    {"Respostas que valem", "Answers that count"},
	"report.answers_of":   {"Das entregues", "Of those delivered"},
}

// ReplyKind says what a person sent.
func (w *Words) ReplyKind(k pombo.ReplyKind) string {
	if _, ok := replyTexts["reply_kind."+string(k)]; !ok {
		return missing(string(k))
	}
	return w.Text("reply_kind." + string(k))
}

// ReplyMatch says how it is known what a reply answers.
func (w *Words) ReplyMatch(m pombo.ReplyMatch) string {
	if _, ok := replyTexts["reply_match."+string(m)]; !ok {
		return missing(string(m))
	}
	return w.Text("reply_match." + string(m))
}
