package words

import "pombo"

const sentAutomatically = "nada: são enviadas sozinhas"

// waits has the wait reasons in Portuguese, as reasons has the reasons.
var waits = map[pombo.WaitReason]inPT{
	pombo.WaitScheduled:   {"a hora delas não chegou", sentAutomatically},
	pombo.WaitRate:        {"esperam a vez no ritmo do bot", sentAutomatically},
	pombo.WaitPaused:      {"o envio está pausado", "quando a causa tiver passado, retome com pombo resume"},
	pombo.WaitQuietHours:  {"é horário de silêncio onde as pessoas moram", sentAutomatically},
	pombo.WaitTemplate:    {"o modelo delas não pode ser enviado agora", "veja pombo templates"},
	pombo.WaitBlip:        {"o Blip não pode ser usado", "veja a verificação do Blip, e a rede, o proxy, BLIP_URL e KEYBLIP"},
	pombo.WaitLedger:      {"o ledger não pode ser gravado", "veja o log: o disco pode estar cheio ou só de leitura"},
	pombo.WaitSource:      {"a tabela não pode ser lida", "veja o banco de dados"},
	pombo.WaitDocuments:   {"os documentos delas não podem ser lidos", "confira se DOCUMENTS_DIR está montada e pode ser lida, ou o banco de dados que os tem"},
	pombo.WaitResends:     {"muitas voltaram a pendentes em um minuto", "pombo resume --resends para enviar de novo, pombo cancel --resends para gravar de novo a situação delas"},
	pombo.WaitRetry:       {"esperam a próxima tentativa", "veja os motivos com pombo list"},
	pombo.WaitUnexplained: {"nada explica", "veja o log e reinicie o serviço: nada se perde nem dobra"},
}

// Wait says why notifications wait, lower case and without a full stop.
func (w *Words) Wait(r pombo.WaitReason) string {
	return w.listed(string(r), r.Message(), waits[r].message)
}

// WaitHint says what a person can do about it, in the same form.
func (w *Words) WaitHint(r pombo.WaitReason) string {
	return w.listed(string(r), r.Hint(), waits[r].hint)
}

// listed returns the text in this language of a word of a closed list.
func (w *Words) listed(word, en, pt string) string {
	text := w.of(pair{pt, en})
	if text == "" {
		return missing(word)
	}
	return text
}
