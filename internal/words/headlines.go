package words

// headlines are the one sentence that says whether messages go, and the parts that
// it is put together from. health.Snapshot.Headline chooses it.
var headlines = map[string]pair{
	"headline.ledger": {
		"O ledger não é gravado há {1}: nada é enviado. Disco cheio ou sem permissão?",
		"The ledger has not been written for {1}: nothing is sent. Is the disk full or read-only?"},
	"headline.ledger_away": {
		"O ledger não responde: nada é enviado.",
		"The ledger does not answer: nothing is sent."},
	"headline.key_refused": {
		"Nada é enviado desde {1}: {2}.{3}",
		"Nothing has been sent since {1}: {2}.{3}"},
	"headline.paused": {"O envio foi pausado {1}{2}. {3}", "Sending was paused by {1}{2}. {3}"},
	"headline.blip": {
		"O Blip não pode ser usado desde {1}: {2}. {3} {3:espera|esperam}; nada se perde.",
		"Blip has not been usable since {1}: {2}. {3} {3:waits|wait}; nothing is lost."},
	"headline.stuck": {
		"{1} {1:pode ir|podem ir} e nada anda há {2}, sem explicação. Veja o log e reinicie o serviço: nada se perde nem dobra.",
		"{1} may go and nothing has moved for {2}; nothing explains it. Look at the log and restart the service: that loses and doubles nothing."},
	"headline.source": {
		"A tabela não pode ser lida há {1}: nada entra. {2} na fila.",
		"The table has not been readable for {1}: nothing is taken in. {2} queued."},
	"headline.nobody_calls": {
		"Ninguém busca linhas há {1}: o job está rodando?",
		"Nobody has looked for rows for {1}: is the job running?"},
	"headline.events": {
		"Os sistemas da empresa não são avisados: {1} {1:evento não foi aceito|eventos não foram aceitos} em EVENTS_URL. As mensagens seguem; {2} na fila.",
		"The company's systems are not told: EVENTS_URL has not taken {1} {1:event|events}. Messages go on; {2} queued."},
	"headline.idle": {"Nada a enviar.{1}", "Nothing to send.{1}"},
	"headline.template": {
		"Só {1:espera|esperam} {1} {1:mensagem|mensagens} cujo modelo não pode ser enviado agora. Veja os modelos.",
		"All that waits is {1} {1:message|messages} whose template cannot be sent now. Look at the templates."},
	"headline.quiet": {
		"É horário de silêncio onde as pessoas moram; {1} {1:vai|vão} depois.",
		"It is a quiet time where the people live; {1} {1:is|are} sent after it."},
	"headline.waiting": {
		"{1} na fila, e ainda nada a enviar: {2}.",
		"{1} queued and nothing to send yet: {2}."},
	"headline.sending":          {"Enviando a {1} por segundo. {2} na fila.", "Sending at {1} a second. {2} queued."},
	"headline.sending_forecast": {"Enviando a {1} por segundo. {2} na fila; {3}.", "Sending at {1} a second. {2} queued; {3}."},
	"headline.sending_slowly":   {"Enviando. {1} na fila.", "Sending. {1} queued."},

	"pause.operator": {"por um operador", "an operator"},
	"pause.blip":     {"pelo Blip", "Blip"},
	"pause.pombo":    {"pelo Pombo, depois de muitas falhas iguais seguidas", "Pombo after too many equal failures in a row"},
	"pause.person":   {"por {1}", "{1}"},
	"pause.note":     {": “{1}”", ": “{1}”"},
	"pause.reason":   {": {1}", ": {1}"},
	"pause.until":    {"Até {1}.", "Until {1}."},
	"pause.resumes":  {" Volta às {1}.", " It resumes at {1}."},
	"pause.open":     {"Sem hora para voltar.", "No end is set."},

	"pass.last":  {" Última busca às {1}.", " Last looked for rows at {1}."},
	"pass.next":  {" Última busca às {1}; a próxima por volta das {2}.", " Last looked for rows at {1}; next at about {2}."},
	"pass.never": {" Nenhuma busca desde o início, às {1}.", " Nobody has looked for rows since the start at {1}."},
}

// forecasts say what becomes of the queue.
var forecasts = map[string]pair{
	"forecast.done":  {"termina por volta das {1}", "done at about {1}"},
	"forecast.still": {"não avança", "it does not move"},
	"forecast.grows": {"cresce {1} por segundo: não termina", "it grows by {1} a second and does not end"},
}
