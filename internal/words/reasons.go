package words

import "pombo"

// inPT is what happened and what to do, in Portuguese. The English is in the root's
// table of the same list.
type inPT struct{ message, hint string }

var reasons = map[pombo.Reason]inPT{
	pombo.InvalidPhone:     {"o telefone da linha não pode ser chamado", "corrija o telefone na linha e reenvie"},
	pombo.ParameterEmpty:   {"um valor do modelo está vazio", "preencha a coluna na linha e reenvie"},
	pombo.ParameterCount:   {"a linha dá mais ou menos valores do que o modelo pede", "compare DB_COL_PARAMS com o modelo (pombo templates)"},
	pombo.ParameterFormat:  {"um valor tem quebra de linha, tabulação ou mais de quatro espaços seguidos, o que o WhatsApp recusa", "escreva o valor em uma linha só e reenvie"},
	pombo.ParameterTooLong: {"um valor é mais longo do que o WhatsApp permite", "encurte o valor na linha e reenvie"},
	pombo.ExpiredRow:       {"passou da hora antes de poder ser enviada", "ponha um prazo maior na linha e reenvie, se ainda fizer sentido"},
	pombo.Withdrawn:        {"já não era para ser enviada: a linha deixou de estar pendente, ou a mensagem que ela lembrava foi respondida", "nada; para enviar mesmo assim, volte a linha a pendente"},
	pombo.DocumentMissing:  {"o documento do cabeçalho não está lá, ou está vazio", "grave o arquivo em DOCUMENTS_DIR com o nome que está na linha, ou preencha a coluna, e reenvie"},
	pombo.DocumentTooLarge: {"o documento do cabeçalho é maior do que o WhatsApp aceita", "diminua o arquivo (100 MB para documento, 5 MB para imagem, 16 MB para vídeo) e reenvie"},
	pombo.DocumentRefused:  {"o documento do cabeçalho não pode ser enviado: o caminho, o nome ou o conteúdo", "veja o detalhe; corrija o caminho na linha ou o arquivo e reenvie"},
	pombo.TemplateRefused:  {"a mensagem não combina com o modelo", "compare os valores da linha com o modelo (pombo templates)"},
	pombo.TemplateMismatch: {"o cabeçalho ou um botão do modelo pede outros valores do que os da linha", "compare DB_COL_PARAMS com o modelo (pombo templates)"},

	pombo.TemplateMissing:     {"o Blip não tem este modelo neste idioma", "confira TEMPLATE_NAME, NAMESPACE e TEMPLATE_LANGUAGE com pombo templates"},
	pombo.TemplateNotApproved: {"o modelo não está aprovado", "espere a aprovação ou use outro modelo"},
	pombo.TemplatePaused:      {"o WhatsApp pausou o modelo por causa da qualidade", "espere de três a seis horas ou use outro modelo"},
	pombo.TemplateDisabled:    {"o WhatsApp desativou o modelo", "crie um modelo novo e peça a aprovação"},
	pombo.TemplateHeld:        {"um operador segurou o modelo", "nada: é enviada quando o modelo for liberado; pombo templates release o libera agora"},
	pombo.TemplateUnusable:    {"o WhatsApp não deixa este número enviar o modelo como ele está", "confira o modelo no gerenciador do WhatsApp da Meta: a categoria, a configuração, se o marketing está desligado; ou use outro modelo"},

	pombo.NotOnWhatsApp:       {"o número não tem WhatsApp", "avise a pessoa por outro meio"},
	pombo.Undeliverable:       {"o WhatsApp não conseguiu entregar a este número", "confira o número; avise a pessoa por outro meio"},
	pombo.OptedOut:            {"a pessoa pediu para não receber mais mensagens", "respeite"},
	pombo.OptedOutOfMarketing: {"a pessoa pediu para não receber mais mensagens de marketing", "respeite; modelos de outras categorias continuam a ser enviados"},
	pombo.MarketingCap:        {"o WhatsApp limita quantas mensagens de marketing esta pessoa recebe", "tente de novo daqui a alguns dias ou envie com um modelo de utilidade"},
	pombo.WindowClosed:        {"faz mais de 24 horas que a pessoa escreveu", "envie com um modelo"},
	pombo.BlockedByBusiness:   {"a empresa bloqueou esta pessoa no WhatsApp", "desbloqueie a pessoa na caixa de entrada em que ela foi bloqueada e reenvie"},
	pombo.PhoneNeeded:         {"o WhatsApp só conhece esta pessoa por um nome de usuário, e a mensagem precisa de um telefone", "avise a pessoa por outro meio"},

	pombo.Unauthorized:   {"o Blip recusa a chave", "confira KEYBLIP: tem de ser a chave do bot dono do número"},
	pombo.Forbidden:      {"o bot não tem permissão para fazer isso", "confira no portal do Blip se este bot é o dono do número do WhatsApp"},
	pombo.AccountBlocked: {"a conta do WhatsApp está bloqueada, restrita ou sem pagamento", "veja a conta no gerenciador de negócios da Meta"},
	pombo.AccountLimited: {"o WhatsApp limita a conta por algumas horas, como faz quando há modelos na categoria errada", "revise as categorias dos modelos (pombo templates); o envio volta sozinho"},
	pombo.NumberNotReady: {"o número do WhatsApp do bot não está registrado, não tem nome aprovado ou foi apagado", "veja o número no portal do Blip e no gerenciador do WhatsApp da Meta; pombo resume volta a enviar na hora"},

	pombo.PairRate:    {"mensagens demais para esta pessoa em pouco tempo", "nada: é tentada de novo sozinha"},
	pombo.RateLimited: {"passou-se do ritmo que o Blip permite", "nada: o envio espera sozinho; se repetir, diminua BLIP_MESSAGES_PER_SECOND"},
	pombo.SpamLimited: {"o WhatsApp limita o número porque pessoas o denunciaram", "envie menos por algumas horas e veja a qualidade do número"},

	pombo.BlipUnreachable: {"sem conexão com o Blip; nada foi enviado", "confira a rede, o proxy e BLIP_URL"},
	pombo.BlipUnavailable: {"o Blip não pode atender agora", "nada: é tentada de novo sozinha"},
	pombo.NoAnswer:        {"a mensagem saiu e não veio resposta: pode ter chegado ou não", "nada com UNCERTAIN=check; senão, decida: pombo retry ou pombo cancel"},
	pombo.GatewayTimeout:  {"o caminho até o WhatsApp não respondeu a tempo: a mensagem pode ter chegado ou não", "nada com UNCERTAIN=check; senão, decida: pombo retry ou pombo cancel"},

	pombo.BadRequest:    {"o Blip não entendeu o pedido", "veja o detalhe; informe o suporte com o código da mensagem"},
	pombo.MediaRefused:  {"o WhatsApp não conseguiu buscar a mídia do cabeçalho", "confira se o link é público, https e pequeno o bastante"},
	pombo.UploadFailed:  {"o Blip não guardou o documento do cabeçalho; nada foi enviado", "nada: é tentada de novo sozinha; veja o detalhe"},
	pombo.ChannelError:  {"o caminho até o WhatsApp deu um erro", "veja o detalhe"},
	pombo.CommandFailed: {"o Blip respondeu a um comando com falha", "veja o detalhe"},
	pombo.Unexplained:   {"o Blip deu um motivo que o Pombo não conhece", "veja o detalhe; informe o suporte com o código da mensagem"},

	pombo.Interrupted:      {"o programa parou no meio", "nada: continua sozinha"},
	pombo.LeaseOver:        {"o processo que cuidava dela ficou em silêncio", "nada: continua sozinha"},
	pombo.TriesExhausted:   {"todas as tentativas previstas falharam", "corrija a causa e reenvie"},
	pombo.TraceFound:       {"o Blip conhece a mensagem", "nada"},
	pombo.NoTrace:          {"o Blip não tem rastro da mensagem", "nada: é enviada de novo sozinha"},
	pombo.ResentByPolicy:   {"não se sabe se chegou, e a regra é reenviar", "nada"},
	pombo.SetBackToPending: {"a linha voltou a pendente depois de terminada", "nada: é enviada de novo"},
	pombo.QuietHours:       {"é noite, dia de silêncio ou feriado onde a pessoa mora", "nada: vai quando passar; QUIET_EXEMPT nomeia os modelos que vão mesmo assim"},
	pombo.SourceAway:       {"ela esperou, e não se pôde ler a tabela para ver se ainda é para enviar", "nada: é tentada de novo sozinha; veja o banco de dados"},
	pombo.DocumentAway:     {"o documento do cabeçalho não pode ser lido agora", "confira se DOCUMENTS_DIR está montada e pode ser lida, ou se o banco de dados responde; depois ela vai sozinha"},
	pombo.HandedOver:       {"a linha foi passada para o outro canal da empresa (STATUS_FALLBACK)", "nada: o Pombo não a envia de novo sozinho"},
	pombo.Recovered:        {"o ledger se perdeu; a mensagem foi refeita pelo rastro dela no Blip", "nada: não é enviada de novo"},
	pombo.LedgerWentBack:   {"o ledger perdeu o registro da mensagem, então ela pode ter sido enviada", "nada: a linha e o Blip são consultados antes de enviar"},
	pombo.KeptLongEnough:   {"acabou o tempo de guarda (RETENTION): telefone e texto foram apagados", "nada"},
	pombo.ResentByItself:   {"o WhatsApp recusou a mensagem anterior por ora", "nada: é enviada de novo sozinha"},

	pombo.AwaitingOperator:  {"não se sabe se chegou, e a regra é esperar por uma pessoa", "decida: pombo retry ou pombo cancel"},
	pombo.RetriedByOperator: {"uma pessoa mandou reenviar", "nada"},
	pombo.CancelledByHand:   {"uma pessoa cancelou", "nada"},
	pombo.ResendGuard:       {"muitas linhas voltaram a pendentes em um minuto, como quando o banco da tabela é restaurado", "pombo resume --resends para enviar de novo, pombo cancel --resends para gravar de novo a situação delas"},
	pombo.ForgottenOnDemand: {"telefone e texto foram apagados a pedido (pombo forget)", "nada"},
}

// Reason says what a reason means, lower case and without a full stop; empty for
// NoReason. A reason that this version does not know is shown as its code.
func (w *Words) Reason(r pombo.Reason) string { return w.reason(r, r.Message(), reasons[r].message) }

// ReasonHint says what a person can do about it, in the same form.
func (w *Words) ReasonHint(r pombo.Reason) string { return w.reason(r, r.Hint(), reasons[r].hint) }

func (w *Words) reason(r pombo.Reason, en, pt string) string {
	switch {
	case !r.Valid(): // of a newer ledger
		return string(r)
	case w.language == Portuguese:
		return pt
	default:
		return en
	}
}
