package words

import "pombo"

// discrepancies has the kinds of discrepancies in Portuguese, as reasons has the
// reasons.
var discrepancies = map[pombo.DiscrepancyKind]inPT{
	pombo.RowPending: {"a linha está pendente de novo, embora a mensagem tenha sido enviada e o código gravado",
		"nada, se voltou a pendente de propósito: a próxima busca a envia mais uma vez; senão, ponha nela STATUS_SENT antes disso"},
	pombo.RowNotPending: {"a mensagem espera para ser enviada, mas a linha já não está pendente ou não existe",
		"pombo cancel ID, se não for para enviar"},
	pombo.RowDiverged: {"o código não foi gravado: o dono da linha o tinha mudado antes",
		"olhe a linha; descubra o que mais grava a coluna da situação. Se voltar a pendente, é enviada mais uma vez"},
	pombo.RowGone: {"o código não foi gravado: a linha já não existia", "nada, se a linha foi apagada de propósito"},
	pombo.RowRefused: {"o código não foi gravado: o banco recusa a mudança",
		"veja o detalhe (pombo show ID); mande corrigir o gatilho ou a restrição e grave o código à mão"},
	pombo.SettleOverdue: {"há seis horas o resultado espera para ser gravado na linha",
		"confira se a tabela pode ser gravada (pombo doctor) e procure no log por \"settle failed\""},
	pombo.UncertainOverdue: {"há uma hora não se sabe se a mensagem chegou", "decida: pombo retry ID ou pombo cancel ID"},
	pombo.FailedAtBlip:     {"o Blip tinha avisado de uma falha que o ledger não conhecia; agora está registrada", "veja o motivo: pombo show ID"},
	pombo.UnknownAtBlip: {"a mensagem conta como enviada, mas o Blip não tem rastro dela",
		"pergunte ao suporte do Blip com o código da mensagem; se a pessoa não recebeu nada, volte a linha a pendente"},
	pombo.SentAtBlip: {"a mensagem conta como não enviada, mas o Blip tem rastro dela",
		"se espera para ser enviada: pombo cancel ID antes que vá duas vezes; não a reenvie"},
}

// Discrepancy says what disagrees, lower case and without a full stop.
func (w *Words) Discrepancy(k pombo.DiscrepancyKind) string {
	return w.listed(string(k), k.Message(), discrepancies[k].message)
}

// DiscrepancyHint says what to do about it, in the same form.
func (w *Words) DiscrepancyHint(k pombo.DiscrepancyKind) string {
	return w.listed(string(k), k.Hint(), discrepancies[k].hint)
}
