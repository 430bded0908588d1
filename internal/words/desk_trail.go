package words

// trailTexts make a sentence of a line of the audit trail: "did." and the act say what
// was done to {1}; without a target the sentence has the words of "act.".
var trailTexts = map[string]pair{
	"trail.sentence": {"{1}{2} {3}{4}{5}.", "{1}{2} {3}{4}{5}."},
	"trail.role":     {" ({1})", " ({1})"},
	"trail.detail":   {": {1}", ": {1}"},
	"trail.result":   {" – {1}", " – {1}"},
	"trail.nobody":   {"alguém sem conta", "somebody without an account"},
	"trail.download": {"Baixar CSV", "Download CSV"},
	"trail.at":       {"Quando", "When"},
	"trail.line":     {"O que houve", "What happened"},
	"trail.cut":      {"Só as {1} linhas mais novas: escolha um dia para as outras.", "Only the newest {1} lines: choose a day for the others."},

	"did.sign_in":       {"entrou em {1}", "signed in to {1}"},
	"did.sign_out":      {"saiu de {1}", "signed out of {1}"},
	"did.end_session":   {"terminou as sessões de {1}", "ended the sessions of {1}"},
	"did.set_password":  {"trocou a senha de {1}", "changed the password of {1}"},
	"did.link":          {"fez um link para {1}", "made a link for {1}"},
	"did.user_add":      {"criou a conta {1}", "made the account {1}"},
	"did.user_change":   {"mudou a conta {1}", "changed the account {1}"},
	"did.search":        {"buscou um telefone em {1}", "searched for a phone in {1}"},
	"did.uncover":       {"mostrou o telefone da mensagem {1}", "uncovered the phone of message {1}"},
	"did.uncover_reply": {"mostrou a resposta {1}", "uncovered reply {1}"},
	"did.preview":       {"viu como ficaria {1}", "previewed {1}"},
	"did.export":        {"baixou a lista de {1}", "exported the list of {1}"},
	"did.retry":         {"reenviou {1}", "sent {1} again"},
	"did.cancel":        {"cancelou {1}", "cancelled {1}"},
	"did.bulk":          {"reenviou um grupo, {1}", "sent a group again, {1}"},
	"did.pause":         {"pausou o envio, {1}", "paused sending, {1}"},
	"did.resume":        {"retomou o envio, {1}", "resumed sending, {1}"},
	"did.resends":       {"decidiu sobre linhas repostas, {1}", "decided about rows set back, {1}"},
	"did.hold":          {"segurou o modelo {1}", "held the template {1}"},
	"did.release":       {"soltou o modelo {1}", "released the template {1}"},
	"did.run":           {"mandou buscar linhas, execução {1}", "had rows looked for, run {1}"},
	"did.reconcile":     {"mandou conferir {1}", "had {1} compared"},
	"did.replay":        {"mandou reenviar eventos aos sistemas da empresa, {1}", "had events sent to the company's systems again, {1}"},
	"did.optout":        {"pôs uma pessoa no não perturbe, {1}", "added an opt-out, {1}"},
	"did.optin":         {"tirou uma pessoa do não perturbe, {1}", "removed an opt-out, {1}"},
	"did.forget":        {"apagou uma pessoa, {1}", "erased a person, {1}"},
	"did.send":          {"enviou à mão {1}", "sent {1} by hand"},
	"did.stop":          {"parou o Pombo, {1}", "stopped Pombo, {1}"},
	"did.request":       {"pediu o que não pode: {1}", "asked for what they may not: {1}"},

	"where.audit":    {"Auditoria", "the audit trail"},
	"where.person":   {"Pessoa", "the page of a person"},
	"where.messages": {"Mensagens", "the messages"},
	"where.find":     {"Busca", "the search"},
	"where.failures": {"Falhas", "the failures"},
}

// Where names a part of the desk that a line of the trail is about; any other target as
// it is.
func (w *Words) Where(target string) string {
	if p, ok := trailTexts["where."+target]; ok {
		return w.of(p)
	}
	return target
}
