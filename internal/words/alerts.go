package words

// alerts say what needs attention, lower case and without a full stop, and with
// .hint what to do. health.Snapshot.Alerts chooses them.
var alerts = map[string]pair{
	"alert.ledger": {
		"o ledger não é gravado há {1}; enquanto isso nada é enviado",
		"the ledger has not been written for {1}; nothing is sent meanwhile"},
	"alert.disk": {
		"só há {1} MB livres no disco do ledger",
		"only {1} MB are free on the disk of the ledger"},
	"alert.disk.hint": {
		"libere espaço antes que o ledger não possa mais ser gravado; sem ele nada é enviado",
		"make room before the ledger cannot be written any more; without it nothing is sent"},
	"alert.same_failure": {"o envio está pausado: {1} ({2})", "sending is paused: {1} ({2})"},
	"alert.same_failure.hint": {
		"veja o motivo com pombo list --state failed, corrija a causa e retome com pombo resume; as linhas que falharam são reenviadas com pombo retry",
		"see its reason with pombo list --state failed, fix the cause, then pombo resume; the rows that failed are retried with pombo retry"},
	"alert.nothing_sent": {
		"nada foi enviado há {1} e {2} {2:linha espera|linhas esperam}: {3}",
		"nothing sent for {1} while {2} {2:row waits|rows wait}: {3}"},
	"alert.nothing_sent_here": {
		"nada foi enviado por este processo há {1} e {2} {2:linha espera|linhas esperam}: {3}",
		"nothing sent by this process for {1} while {2} {2:row waits|rows wait}: {3}"},
	"alert.template": {"{1} {1:linha espera|linhas esperam}: {2}", "{1} {1:row waits|rows wait}: {2}"},
	"alert.ledger_went_back": {
		"há {1} notou-se que o ledger perdeu alguma coisa",
		"{1} ago it was noticed that the ledger has lost something"},
	"alert.ledger_went_back.hint": {
		"nada: as linhas e o Blip são consultados antes de enviar; descubra por que o ledger perdeu dados",
		"nothing: the rows and Blip are asked before anything of it is sent; find out why the ledger lost it"},
	"alert.resends": {
		"{1} {1:linha voltou a pendente|linhas voltaram a pendentes}, como quando o banco da tabela volta no tempo; nada disso é enviado",
		"{1} {1:row was|rows were} set back to pending, as when the database of the table went back; nothing of it is sent"},
	"alert.doubts_behind": {
		"há {1} as dúvidas sobre mensagens não são perguntadas a tempo",
		"the doubt about messages is not asked about in time, for {1}"},
	"alert.doubts_behind.hint": {
		"veja se o Blip responde e se BLIP_COMMANDS_PER_SECOND deixa espaço para as perguntas",
		"see whether Blip answers, and whether BLIP_COMMANDS_PER_SECOND leaves room for its questions"},
	"alert.uncertain": {
		"de {1} {1:linha|linhas} não se sabe há {2} se a mensagem chegou",
		"it is not known of {1} {1:row|rows} whether the message arrived, for {2}"},
	"alert.uncertain.hint": {
		"nada com UNCERTAIN=check, assim que o Blip puder ser perguntado; senão, decida: pombo retry ou pombo cancel",
		"nothing with UNCERTAIN=check once Blip can be asked; else decide with retry or cancel"},
	"alert.settle_behind": {
		"os resultados de {1} {1:linha|linhas} ainda não estão na tabela, há {2}",
		"the results of {1} {1:row|rows} are not yet in the table, for {2}"},
	"alert.settle_behind.hint": {
		"veja o banco de dados: a conta precisa poder gravar as colunas configuradas",
		"check the database: the account must be able to write the mapped columns"},
	"alert.intake": {
		"as linhas pendentes da tabela não podem ser lidas há {1}",
		"the pending rows of the table cannot be read, for {1}"},
	"alert.rejected_rows": {
		"{1} {1:linha pendente|linhas pendentes} na tabela não {1:pode|podem} entrar como {1:está|estão}, há {2}",
		"{1} {1:row|rows} pending in the table cannot be taken in as {1:it is|they are}, for {2}"},
	"alert.rejected_rows_many": {
		"pelo menos {1} linhas pendentes na tabela não podem entrar como estão, há {2}",
		"at least {1} rows pending in the table cannot be taken in as they are, for {2}"},
	"alert.rejected_rows.hint": {"corrija as linhas que o log nomeia", "correct the rows that the log names"},
	"alert.finished_pending": {
		"{1} {1:linha está pendente|linhas estão pendentes} na tabela e {1:terminada|terminadas} aqui: nada será enviado, e na tabela ninguém vê isso",
		"{1} {1:row is|rows are} pending in the table and finished here: nothing will be sent, and nobody sees that in the table"},
	"alert.finished_pending.hint": {
		"configure STATUS_FAILED, que vale também para as vencidas e as de quem pediu para não receber; grave à mão o código das linhas terminadas",
		"set STATUS_FAILED, which is for what expired and for opt-outs too; give the rows that have ended their code by hand"},
	"alert.receipts_stopped": {
		"há {1} o Blip aceita mensagens e nenhum recibo chega",
		"messages have been accepted for {1} and no receipt came"},
	"alert.receipts_stopped.hint": {
		"veja no log o que o Blip responde quando é perguntado; com webhooks, veja os endereços deles no portal do Blip",
		"see the log for what Blip answers when it is asked; with webhooks, see their addresses in the Blip portal"},
	"alert.template_category": {
		"o WhatsApp mudou de categoria: {1}",
		"WhatsApp has moved {1} into another category"},
	"alert.template_category.hint": {
		"veja pombo templates: preço, limites e pedidos de não receber seguem a categoria; se estiver errada, mude o texto e peça nova aprovação",
		"see pombo templates: price, limits and opt-outs follow the category; change the text and have it approved again if it is wrong"},
	"alert.events": {
		"há {1} eventos não chegam a EVENTS_URL; {2} {2:espera|esperam} (última resposta: {3})",
		"events have not reached EVENTS_URL for {1}; {2} {2:waits|wait} (last answer: {3})"},
	"alert.events.hint": {
		"veja o sistema que recebe os eventos, e com pombo doctor o caminho até ele; tenta-se de novo por três dias, e nada se perde",
		"look at the system that receives them, and with pombo doctor at the way there; they are tried for three days, and nothing is lost"},
	"alert.events_gone": {
		"EVENTS_URL responde que não quer mais eventos (410); {1} {1:espera|esperam}",
		"EVENTS_URL answers that it wants no more events (410); {1} {1:waits|wait}"},
	"alert.events_gone.hint": {
		"corrija EVENTS_URL, ou retire-o se ninguém quer eventos; depois, pombo events replay envia o que espera",
		"correct EVENTS_URL, or take it away if nobody wants events; then pombo events replay sends what waits"},
	"alert.events_given_up": {
		"durante três dias EVENTS_URL não aceitou {1} {1:evento|eventos}; não se tenta mais",
		"EVENTS_URL has not taken {1} {1:event|events} for three days; they are no longer tried"},
	"alert.events_given_up.hint": {
		"veja com pombo events list --open o que foi respondido, corrija a causa e envie de novo com pombo events replay",
		"see with pombo events list --open what was answered, fix the cause, then pombo events replay"},

	// What is said by a word of a closed list.
	"said.it":     {"{1}", "{1}"},
	"said.until":  {"{1} até {2}", "{1} until {2}"},
	"said.reason": {"{1} ({2})", "{1} ({2})"},
}
