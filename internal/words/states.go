package words

import "pombo"

// states has for each state the word that a clerk knows and what it means.
var states = map[pombo.State]struct{ word, meaning pair }{
	pombo.Queued:     {pair{"na fila", "queued"}, pair{"espera a vez", "it waits its turn"}},
	pombo.Claimed:    {pair{"na fila", "queued"}, pair{"está sendo preparada", "it is being prepared"}},
	pombo.Sending:    {pair{"saindo", "going out"}, pair{"está indo para o Blip", "it is on its way to Blip"}},
	pombo.Accepted:   {pair{"enviada", "sent"}, pair{"o Blip a recebeu; ainda não se sabe se chegou", "Blip has it; it is not known yet whether it arrived"}},
	pombo.Dispatched: {pair{"enviada", "sent"}, pair{"o Blip a passou ao WhatsApp", "Blip has handed it to WhatsApp"}},
	pombo.Delivered:  {pair{"entregue", "delivered"}, pair{"está no telefone", "it is on the phone"}},
	pombo.Read:       {pair{"lida", "read"}, pair{"foi aberta", "it was opened"}},
	pombo.Failed:     {pair{"não chegou", "did not arrive"}, pair{"foi recusada; não será entregue", "it was refused and will not be delivered"}},
	pombo.Uncertain:  {pair{"não se sabe", "not known"}, pair{"saiu e não veio resposta", "it left and no answer came"}},
	pombo.Cancelled:  {pair{"não foi enviada", "not sent"}, pair{"foi cancelada", "it was cancelled"}},
	pombo.Expired:    {pair{"não foi enviada", "not sent"}, pair{"passou da hora", "its time was over"}},
	pombo.Suppressed: {pair{"não foi enviada", "not sent"}, pair{"a pessoa pediu para não receber", "the person asked not to receive it"}},
}

// State returns the word for a state that a clerk knows. States that are the same
// to a clerk share one: see StateMeaning.
func (w *Words) State(s pombo.State) string {
	entry, ok := states[s]
	if !ok {
		return missing(string(s))
	}
	return w.of(entry.word)
}

// StateMeaning says what a state means for the message, lower case and without a full stop.
func (w *Words) StateMeaning(s pombo.State) string {
	entry, ok := states[s]
	if !ok {
		return missing(string(s))
	}
	return w.of(entry.meaning)
}
