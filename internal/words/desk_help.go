package words

import "pombo"

// helpTexts are the pages of help; what they say of each reason is in help.
var helpTexts = map[string]pair{
	"help.title":         {"Ajuda: os motivos", "Help: the reasons"},
	"help.lead":          {"Cada motivo que o Pombo dá, o que ele faz sozinho e o que uma pessoa pode fazer.", "Every reason that Pombo gives, what it does by itself and what a person can do."},
	"help.does":          {"O que o Pombo faz sozinho", "What Pombo does by itself"},
	"help.todo":          {"O que fazer", "What to do"},
	"help.steps":         {"Passo a passo", "Step by step"},
	"help.whose":         {"De quem é o assunto", "Whose matter it is"},
	"help.technical":     {"Detalhes técnicos", "Technical details"},
	"help.code":          {"Código no log e na API", "Code in the log and in the API"},
	"help.see_failures":  {"Ver o que falhou", "See what failed"},
	"help.all":           {"Todos os motivos", "All reasons"},
	"help.nothing":       {"Nada a fazer.", "Nothing has to be done."},
	"help.still_unclear": {"Se não bastar: o código da mensagem, o horário e o texto em Detalhes técnicos são o que o suporte precisa; nunca o telefone nem o texto.", "If that is not enough: support needs the id of the message, the time and the text under Technical details; never the phone or the message."},
}

// classes say whose matter a reason is.
var classes = map[pombo.Class]struct{ word, meaning pair }{
	pombo.ClassRow:      {pair{"A linha da tabela", "The row of the table"}, pair{"algo na linha precisa mudar, ou ela já não era para enviar", "something in the row has to change, or it was not wanted any more"}},
	pombo.ClassTemplate: {pair{"O modelo", "The template"}, pair{"o modelo não pode ser enviado agora, seja qual for a linha", "the template cannot be sent now, whatever the row says"}},
	pombo.ClassPerson:   {pair{"A pessoa", "The person"}, pair{"ela não pode ou não quer receber", "they cannot or do not want to receive it"}},
	pombo.ClassBot:      {pair{"O bot e a conta", "The bot and its account"}, pair{"o Blip ou o WhatsApp recusa a chave, a conta ou o número", "Blip or WhatsApp refuses the key, the account or the number"}},
	pombo.ClassRate:     {pair{"O ritmo", "The pace"}, pair{"passou-se de um limite por tempo", "a limit per time was exceeded"}},
	pombo.ClassLink:     {pair{"O caminho até o Blip", "The way to Blip"}, pair{"o Blip não é alcançado ou não dá conta, seja qual for a mensagem", "Blip cannot be reached or cannot keep up, whatever the message"}},
	pombo.ClassRequest:  {pair{"Este pedido", "This request"}, pair{"o Blip, ou o WhatsApp atrás dele, não aceitou este pedido", "Blip, or WhatsApp behind it, did not take this request"}},
	pombo.ClassPombo:    {pair{"O Pombo", "Pombo"}, pair{"foi o próprio Pombo, e ele cuida", "it was Pombo itself, and it takes care of it"}},
	pombo.ClassOperator: {pair{"Uma pessoa", "A person at the desk"}, pair{"alguém decidiu, ou tem de decidir", "somebody decided, or has to decide"}},
}

// ClassName names whose matter a reason is.
func (w *Words) ClassName(c pombo.Class) string { return w.of(classes[c].word) }

// ClassMeaning says what that means, lower case and without a full stop.
func (w *Words) ClassMeaning(c pombo.Class) string { return w.of(classes[c].meaning) }

// ReasonDoes says what Pombo does by itself about a reason, in whole sentences.
func (w *Words) ReasonDoes(r pombo.Reason) string { return w.of(help[r].does) }

// ReasonSteps are what a person can do, in order; none when nothing has to be done.
func (w *Words) ReasonSteps(r pombo.Reason) []string {
	var out []string
	for _, step := range help[r].steps {
		out = append(out, w.of(step))
	}
	return out
}

// What Pombo does by itself is the same for many reasons.
var (
	doesEnd      = pair{"A mensagem termina aqui: o Pombo não a envia de novo sozinho. O resultado é gravado na linha.", "The message ends here: Pombo does not send it again by itself. The result is written into the row."}
	doesRetry    = pair{"Nada foi enviado. O Pombo tenta de novo sozinho, até dez vezes em cerca de nove horas; depois desiste e diz por quê.", "Nothing was sent. Pombo tries again by itself, up to ten times in about nine hours; after that it gives up and says why."}
	doesPark     = pair{"As mensagens deste modelo esperam, sem atrasar as dos outros, e vão sozinhas quando o Blip der o modelo como aprovado. Se o WhatsApp recusar uma já aceita, o modelo fica parado por uma hora e ela é enviada de novo depois de 6, 24 e 48 horas.", "The messages of this template wait without delaying those of others, and go by themselves when Blip lists the template as approved. When WhatsApp refuses one that was accepted, the template stops for an hour and the message is sent again after 6, 24 and 48 hours."}
	doesStop     = pair{"Todo o envio para e é tentado de novo sozinho de tempos em tempos. Nada se perde, e nenhuma mensagem gasta uma tentativa com isso.", "All sending stops and is tried again by itself from time to time. Nothing is lost, and no message uses up a try."}
	doesAsk      = pair{"O Pombo pergunta ao Blip se ele conhece a mensagem, antes de enviar de novo: assim ela nunca vai em dobro. Com rastro, ela conta como enviada; sem rastro, vai de novo sozinha.", "Pombo asks Blip whether it knows the message before sending again, so that it is never sent twice. With a trace it counts as sent; without one it is sent again by itself."}
	doesContinue = pair{"Continua sozinho de onde parou; nada se perde nem vai em dobro.", "It goes on by itself where it stopped; nothing is lost or sent twice."}
	doesRespect  = pair{"A pessoa fica na lista Não perturbe, e nada do que ela recusou é enviado, venha de onde vier.", "The person stays on the list of opt-outs, and nothing that they refused is sent, wherever it comes from."}
	doesNote     = pair{"Só está anotado na história da mensagem.", "It is only noted in the story of the message."}
)

// Steps that several reasons share.
var (
	stepFixRow   = pair{"Corrija a linha no sistema que a gravou; assim a próxima também vem certa.", "Correct the row in the system that wrote it, so that the next one is right, too."}
	stepResend   = pair{"Abra a mensagem e use Reenviar: a linha é lida de novo antes de enviar.", "Open the message and use Send again: the row is read again before it is sent."}
	stepGroup    = pair{"Se forem muitas, use Falhas: lá o grupo inteiro é reenviado de uma vez, com um plano antes.", "If there are many, use Failures: the whole group is sent again there at once, with a plan first."}
	stepOther    = pair{"Avise a pessoa por telefone, carta ou outro meio.", "Tell the person by telephone, by letter or another way."}
	stepNumber   = pair{"Confira com a pessoa se o número do cadastro é o dela e se usa WhatsApp nele.", "Check with the person that the number on file is theirs and that they use WhatsApp on it."}
	stepTemplate = pair{"Abra Modelos e veja a situação do modelo no Blip e quantas mensagens esperam por ele.", "Open Templates and see how the template stands at Blip and how many messages wait for it."}
	stepMeta     = pair{"Veja o modelo no gerenciador do WhatsApp da Meta: lá está o motivo da recusa.", "Look at the template in Meta's WhatsApp Manager: the reason for the refusal is there."}
	stepPortal   = pair{"Veja o bot e o número no portal do Blip.", "Look at the bot and the number in the Blip portal."}
	stepAccount  = pair{"Veja a conta no gerenciador de negócios da Meta: restrição, pagamento, qualidade do número.", "Look at the account in Meta's business manager: restriction, payment, quality of the number."}
	stepResume   = pair{"Corrigida a causa, use Retomar em Agora (ou pombo resume): o envio volta na hora.", "When the cause is gone, use Resume on Now (or pombo resume): sending goes on at once."}
	stepDoctor   = pair{"Rode pombo doctor no servidor: ele testa a tabela, o ledger e o Blip e diz o que falta.", "Run pombo doctor on the server: it tests the table, the ledger and Blip and says what is missing."}
	stepDetail   = pair{"Leia o detalhe na história da mensagem: é o que o Blip respondeu.", "Read the detail in the story of the message: it is what Blip answered."}
	stepSupport  = pair{"Informe o suporte com o código da mensagem e o horário.", "Report it to support with the id of the message and the time."}
	stepParams   = pair{"Compare DB_COL_PARAMS com os valores que o modelo pede; pombo templates mostra os dois lado a lado.", "Compare DB_COL_PARAMS with the values that the template takes; pombo templates shows them side by side."}
	stepDecide   = pair{"Pergunte à pessoa se recebeu. Depois escolha na mensagem: Reenviar (se receber duas não fizer mal) ou Não enviar mais.", "Ask the person whether it arrived. Then choose on the message: Send again (if getting two does no harm) or Do not send."}
	stepAskBlip  = pair{"Use Perguntar ao Blip agora na página da mensagem: muitas vezes isso já resolve.", "Use Ask Blip now on the page of the message: often that settles it."}
)

// help says of each reason what Pombo does and what a person can do.
var help = map[pombo.Reason]struct {
	does  pair
	steps []pair
}{
	pombo.InvalidPhone: {doesEnd, []pair{
		{"Abra a mensagem: o detalhe diz o que há com o número (curto demais, sem DDD, letras).", "Open the message: the detail says what is wrong with the number (too short, no area code, letters)."},
		stepFixRow, stepResend, stepGroup,
	}},
	pombo.ParameterEmpty: {doesEnd, []pair{
		{"Abra a mensagem: o detalhe diz qual valor do modelo está vazio.", "Open the message: the detail says which value of the template is empty."},
		stepFixRow, stepResend, stepGroup,
	}},
	pombo.ParameterCount: {doesEnd, []pair{stepParams,
		{"Acerte DB_COL_PARAMS, ou os valores na coluna, e reinicie o serviço se mudou a configuração.", "Correct DB_COL_PARAMS, or the values in the column, and restart the service if you changed a setting."}, stepGroup}},
	pombo.ParameterFormat: {doesEnd, []pair{
		{"Procure no valor uma quebra de linha, uma tabulação ou mais de quatro espaços seguidos.", "Look in the value for a line break, a tab or more than four spaces in a row."},
		stepFixRow, stepResend, stepGroup,
	}},
	pombo.ParameterTooLong: {doesEnd, []pair{
		{"O texto inteiro, com os valores, pode ter até 1.024 caracteres.", "The whole text, with its values, may have up to 1,024 characters."},
		stepFixRow, stepResend,
	}},
	pombo.ExpiredRow: {pair{"O Pombo a tira da fila quando a hora passa, e ela não é enviada. O resultado é gravado na linha.", "Pombo takes it out of the queue when its time is over, and it is not sent. The result is written into the row."}, []pair{
		{"Veja na história o que a fez esperar: pausa, modelo, silêncio, Blip.", "See in its story what made it wait: a pause, its template, quiet hours, Blip."},
		{"Se ainda fizer sentido, ponha na linha um prazo maior e reenvie.", "If it still makes sense, set a later expiry in the row and send it again."},
	}},
	pombo.Withdrawn: {pair{"Antes de enviar o que esperou, o Pombo olha a linha de novo; quem já não está pendente não recebe.", "Before sending what has waited, Pombo looks at the row again; what is no longer pending is not sent."}, []pair{
		{"Nada, se quem gravou a linha a retirou de propósito.", "Nothing, if the row was withdrawn on purpose."},
		{"Para enviar mesmo assim, volte a linha à situação pendente: a próxima busca a pega.", "To send it after all, set the row back to pending: the next look takes it in."},
	}},
	pombo.DocumentMissing: {pair{"O Pombo espera pelo documento até um quarto de hora depois de a linha ser lida; depois a mensagem termina, e nada foi enviado.", "Pombo waits for the document until a quarter of an hour after the row was read; then the message ends, and nothing was sent."}, []pair{
		{"Veja se o arquivo está em DOCUMENTS_DIR com o nome que está na linha, ou se a coluna do documento está preenchida.", "See whether the file is in DOCUMENTS_DIR under the name that the row has, or whether the column of the document is filled."},
		stepResend, stepGroup,
	}},
	pombo.DocumentTooLarge: {doesEnd, []pair{
		{"O WhatsApp aceita 100 MB em um documento, 5 MB em uma imagem e 16 MB em um vídeo.", "WhatsApp takes 100 MB in a document, 5 MB in a picture and 16 MB in a film."},
		{"Diminua o arquivo no sistema que o grava.", "Make the file smaller in the system that writes it."}, stepResend,
	}},
	pombo.DocumentRefused: {doesEnd, []pair{
		{"Abra a mensagem: o detalhe diz o que há com o caminho, o nome ou o conteúdo.", "Open the message: the detail says what is wrong with the path, the name or the content."},
		{"O caminho começa em DOCUMENTS_DIR e só desce: sem barra no começo, sem “..”, sem letra de unidade, sem atalhos.", "The path begins at DOCUMENTS_DIR and only leads down: no slash at its beginning, no “..”, no letter of a drive, no links."},
		stepFixRow, stepResend, stepGroup,
	}},
	pombo.TemplateRefused: {doesEnd, []pair{stepTemplate, stepParams, {"Depois de acertar, reenvie uma só e veja se chega; então o grupo em Falhas.", "When it is corrected, send one again and see whether it arrives; then the group in Failures."}}},
	pombo.TemplateMismatch: {doesPark, []pair{stepTemplate, stepParams,
		{"Um cabeçalho com documento ou um botão com endereço também pede um valor da linha.", "A header with a document or a button with an address takes a value from the row, too."}}},

	pombo.TemplateMissing:     {doesPark, []pair{stepTemplate, {"Confira TEMPLATE_NAME, NAMESPACE e TEMPLATE_LANGUAGE: nome e língua têm de ser iguais aos do Blip, letra por letra.", "Check TEMPLATE_NAME, NAMESPACE and TEMPLATE_LANGUAGE: name and language have to be those at Blip, letter by letter."}}},
	pombo.TemplateNotApproved: {doesPark, []pair{stepTemplate, stepMeta, {"Espere a aprovação, em geral minutos ou um dia; ou mande o sistema usar outro modelo.", "Wait for the approval, minutes or a day as a rule; or have the system use another template."}}},
	pombo.TemplatePaused:      {doesPark, []pair{stepMeta, {"O WhatsApp o solta sozinho em três a seis horas; na terceira vez ele é desativado.", "WhatsApp lets it go by itself in three to six hours; the third time it is disabled."}, {"Veja o que nele incomoda as pessoas: muitas o bloquearam ou denunciaram.", "See what bothers people about it: many have blocked or reported it."}}},
	pombo.TemplateDisabled:    {pair{"As mensagens deste modelo esperam até o Blip o dar como aprovado; as já recusadas não são enviadas de novo sozinhas.", "The messages of this template wait until Blip lists it as approved; those refused are not sent again by themselves."}, []pair{{"Crie um modelo novo, com outro nome, e peça a aprovação.", "Create a new template with another name and have it approved."}, {"Mude o nome em TEMPLATE_NAME ou na coluna do modelo.", "Change the name in TEMPLATE_NAME or in the column of the template."}, stepGroup}},
	pombo.TemplateUnusable:    {doesPark, []pair{stepMeta, {"Confira a categoria e se o marketing está desligado para este número.", "Check its category, and whether marketing is switched off for this number."}}},

	pombo.NotOnWhatsApp:       {doesEnd, []pair{stepNumber, stepOther, {"Se o número da linha estava errado: corrija a linha e só então reenvie.", "If the number in the row was wrong: correct the row, and only then send again."}}},
	pombo.Undeliverable:       {doesEnd, []pair{stepNumber, {"Pode ser um WhatsApp antigo, ou termos que a pessoa não aceitou.", "It may be an old WhatsApp, or terms that the person has not accepted."}, stepOther}},
	pombo.OptedOut:            {doesRespect, []pair{{"Respeite: não reenvie.", "Respect it: do not send again."}, {"Só se a própria pessoa pedir para voltar, tire-a da lista em Não perturbe e anote o pedido.", "Only when the person asks to come back, take them off the list in Opt-outs and note the request."}}},
	pombo.OptedOutOfMarketing: {doesRespect, []pair{{"Respeite: mensagens de utilidade, como a de uma consulta, continuam a ir.", "Respect it: utility messages, such as that of an appointment, are still sent."}}},
	pombo.MarketingCap:        {pair{"O Pombo a envia de novo sozinho depois de 24 horas e, se preciso, de mais 72. Antes disso só pioraria.", "Pombo sends it again by itself after 24 hours and, if need be, after another 72. Sooner would make it worse."}, []pair{{"Se for um aviso e não propaganda, peça um modelo da categoria utilidade.", "If it is a notice and not advertising, have a template of the category utility approved."}}},
	pombo.WindowClosed:        {doesEnd, []pair{{"Fora das 24 horas só um modelo é permitido: veja em Modelos qual a linha usa.", "Outside the 24 hours only a template is allowed: see in Templates which one the row uses."}, stepResend}},
	pombo.BlockedByBusiness:   {doesEnd, []pair{{"Alguém da empresa bloqueou a pessoa no atendimento: desbloqueie-a lá.", "Somebody in the company has blocked the person in the inbox: unblock them there."}, stepResend}},
	pombo.PhoneNeeded:         {doesEnd, []pair{stepNumber, stepOther}},

	pombo.Unauthorized:   {doesStop, []pair{{"Confira KEYBLIP: tem de ser a chave do bot dono do número, inteira e sem aspas.", "Check KEYBLIP: it has to be the key of the bot that owns the number, whole and without quotes."}, stepDoctor, stepResume}},
	pombo.Forbidden:      {doesStop, []pair{stepPortal, {"A chave pode ser de outro bot: o do roteador em vez do dono do número, por exemplo.", "The key may be that of another bot: the router's instead of the one that owns the number, for instance."}, stepResume}},
	pombo.AccountBlocked: {doesStop, []pair{stepAccount, stepResume}},
	pombo.AccountLimited: {pair{"Todo o envio para por seis horas e volta sozinho. Nada se perde.", "All sending stops for six hours and goes on by itself. Nothing is lost."}, []pair{{"Reveja as categorias dos modelos: propaganda em modelo de utilidade é o motivo mais comum.", "Review the categories of the templates: advertising in a utility template is the usual cause."}, stepAccount}},
	pombo.NumberNotReady: {doesStop, []pair{stepPortal, {"Na Meta, veja se o nome de exibição foi aprovado e se o número está registrado.", "At Meta, see whether the display name is approved and the number registered."}, stepResume}},

	pombo.PairRate:    {pair{"O Pombo deixa seis segundos entre duas mensagens à mesma pessoa e tenta de novo sozinho.", "Pombo leaves six seconds between two messages to one person and tries again by itself."}, []pair{{"Se um sistema grava muitas linhas para a mesma pessoa, junte-as em uma.", "If a system writes many rows for one person, make them one."}}},
	pombo.RateLimited: {pair{"Todo o envio espera dois minutos, ou o tempo que o Blip disser, e volta sozinho.", "All sending waits two minutes, or as long as Blip says, and goes on by itself."}, []pair{{"Se repetir: outro programa usa o mesmo bot? Diminua BLIP_MESSAGES_PER_SECOND.", "If it happens again: does another program use the same bot? Lower BLIP_MESSAGES_PER_SECOND."}}},
	pombo.SpamLimited: {pair{"Todo o envio para por uma hora e volta sozinho; a mensagem é enviada de novo depois de 6, 24 e 48 horas.", "All sending stops for an hour and goes on by itself; the message is sent again after 6, 24 and 48 hours."}, []pair{stepAccount, {"Pause o que não for urgente por algumas horas; enviar mais piora a nota do número.", "Pause what is not urgent for some hours; sending more makes the number's rating worse."}}},

	pombo.BlipUnreachable: {doesStop, []pair{stepDoctor, {"Confira a rede, o proxy (HTTPS_PROXY) e BLIP_URL.", "Check the network, the proxy (HTTPS_PROXY) and BLIP_URL."}}},
	pombo.BlipUnavailable: {doesAsk, []pair{{"Se durar mais de meia hora, veja a página de situação do Blip.", "If it lasts for more than half an hour, see Blip's status page."}}},
	pombo.NoAnswer:        {doesAsk, []pair{stepAskBlip, stepDecide}},
	pombo.GatewayTimeout:  {doesAsk, []pair{stepAskBlip, stepDecide}},

	pombo.BadRequest:    {doesEnd, []pair{stepDetail, stepSupport}},
	pombo.MediaRefused:  {pair{"O Pombo envia de novo sozinho depois de 5 minutos, 30 minutos e 2 horas, se o WhatsApp não conseguiu buscar a mídia.", "Pombo sends it again by itself after 5 minutes, 30 minutes and 2 hours if WhatsApp could not fetch the media."}, []pair{{"Abra o link fora da rede da empresa: tem de ser público, https, sem senha.", "Open the link outside the company's network: it has to be public, https, without a password."}, {"Imagem até 5 MB, vídeo até 16 MB, documento até 100 MB.", "Images up to 5 MB, video up to 16 MB, documents up to 100 MB."}, stepFixRow, stepResend}},
	pombo.UploadFailed:  {doesRetry, []pair{stepDetail, {"Se repetir, confira se o servidor alcança o endereço de mídia do Blip: um proxy ou firewall pode barrá-lo.", "If it happens again, check that the server reaches Blip's address for media: a proxy or a firewall may bar it."}}},
	pombo.ChannelError:  {doesRetry, []pair{stepDetail, {"Se repetir por horas, informe o suporte do Blip com o código da mensagem.", "If it goes on for hours, report it to Blip's support with the id of the message."}}},
	pombo.CommandFailed: {doesEnd, []pair{stepDetail, stepSupport}},
	pombo.Unexplained:   {doesEnd, []pair{stepDetail, stepSupport}},

	pombo.Interrupted:      {doesContinue, nil},
	pombo.LeaseOver:        {doesContinue, []pair{{"Se repetir, veja no log se o servidor fica sem memória ou sem processador.", "If it happens again, see in the log whether the server runs out of memory or processor."}}},
	pombo.TriesExhausted:   {pair{"O Pombo tentou dez vezes em cerca de nove horas e desistiu. O resultado é gravado na linha.", "Pombo tried ten times in about nine hours and gave up. The result is written into the row."}, []pair{{"O detalhe diz o motivo da última tentativa: veja a ajuda dele.", "The detail says why the last try failed: see the help about that."}, stepGroup}},
	pombo.TraceFound:       {pair{"O Blip conhece a mensagem: ela conta como enviada e não vai de novo.", "Blip knows the message: it counts as sent and is not sent again."}, nil},
	pombo.NoTrace:          {pair{"O Blip não a conhece, então ela não saiu: é enviada de novo sozinha, com o mesmo código.", "Blip does not know it, so it never left: it is sent again by itself, under the same id."}, nil},
	pombo.ResentByPolicy:   {pair{"É enviada de novo na hora, porque a regra (UNCERTAIN=resend) prefere duas a nenhuma.", "It is sent again at once, because the policy (UNCERTAIN=resend) is rather twice than never."}, nil},
	pombo.SetBackToPending: {pair{"A linha é enviada de novo, como mensagem nova, com outro código.", "The row is sent again, as a new message with another id."}, nil},
	pombo.QuietHours:       {pair{"Vai sozinha quando o silêncio acabar onde a pessoa mora, na ordem em que chegou.", "It goes by itself when the quiet time is over where the person lives, in the order in which it came."}, []pair{{"Se um modelo não pode esperar (um código de acesso, por exemplo), ponha o nome dele em QUIET_EXEMPT.", "If a template cannot wait (an access code, for instance), put its name into QUIET_EXEMPT."}}},
	pombo.SourceAway:       {pair{"Ela espera até a tabela poder ser lida: o que foi retirado nesse meio-tempo não vai.", "It waits until the table can be read: what was withdrawn meanwhile is not sent."}, []pair{stepDoctor, {"Veja com quem cuida do banco se ele está no ar e se o usuário ainda pode entrar.", "See with whoever runs the database whether it is up and the user may still sign in."}}},
	pombo.DocumentAway: {pair{"As mensagens com documento esperam, sem gastar tentativa e sem atrasar as outras, e vão sozinhas quando a pasta ou a tabela puder ser lida.", "Messages with a document wait, without using up a try and without delaying the others, and go by themselves when the folder or the table can be read."}, []pair{
		{"Veja se DOCUMENTS_DIR está montada e se a conta do serviço pode ler a pasta e os arquivos.", "See whether DOCUMENTS_DIR is mounted and whether the service's account may read the folder and its files."}, stepDoctor,
	}},
	pombo.HandedOver: {pair{"A linha tem o código de STATUS_FALLBACK: o outro canal da empresa a pega. Se a mensagem chegar depois, isso fica anotado, e a linha fica como está.", "The row has the code of STATUS_FALLBACK: the company's other channel takes it. Should the message arrive later, that is noted, and the row stays as it is."}, []pair{
		{"Veja no outro canal, o de SMS por exemplo, se a pessoa foi avisada.", "See in the other channel, SMS for instance, whether the person was told."},
	}},
	pombo.Recovered:      {pair{"O ledger se perdeu e foi refeito com o que o Blip contou: ela conta como enviada e não vai de novo.", "The ledger was lost and rebuilt from what Blip told: it counts as sent and is not sent again."}, nil},
	pombo.LedgerWentBack: {pair{"O ledger voltou a um estado antigo. Antes de enviar, o Pombo pergunta à linha e ao Blip de cada mensagem.", "The ledger went back to an older state. Before sending, Pombo asks the row and Blip about every message."}, []pair{{"Descubra por que o ledger voltou: um backup posto de volta, um disco, uma réplica atrasada.", "Find out why the ledger went back: a backup that was put back, a disk, a replica that was behind."}}},
	pombo.KeptLongEnough: {pair{"O tempo de guarda (RETENTION) acabou: telefone e texto foram apagados; situação e datas ficam mais um dia.", "The time in the ledger (RETENTION) was over: phone and text were erased; state and dates stay for another day."}, nil},
	pombo.ResentByItself: {pair{"O WhatsApp recusou a anterior por ora; esta é a nova, e vai sozinha.", "WhatsApp refused the one before for now; this is the new one, and it goes by itself."}, nil},

	pombo.AwaitingOperator:  {pair{"Espera por uma pessoa, porque a regra é essa (UNCERTAIN=hold). Nada é enviado até lá.", "It waits for a person, because that is the policy (UNCERTAIN=hold). Nothing is sent until then."}, []pair{stepAskBlip, stepDecide}},
	pombo.TemplateHeld:      {pair{"As mensagens deste modelo esperam, sem atrasar as dos outros, até alguém soltar o modelo ou a hora marcada chegar. Só as que têm prazo podem vencer antes.", "The messages of this template wait without delaying those of others until somebody releases it or the time that was set comes. Only those with an expiry may expire before that."}, []pair{stepTemplate, {"Lá está quem o segurou e por quê; use Soltar quando a causa tiver passado.", "It says there who held it and why; use Release when the cause is gone."}}},
	pombo.RetriedByOperator: {doesNote, []pair{{"A auditoria diz quem e quando.", "The audit trail says who and when."}}},
	pombo.CancelledByHand:   {doesNote, []pair{{"A auditoria diz quem e quando.", "The audit trail says who and when."}}},
	pombo.ResendGuard:       {pair{"As linhas repostas esperam por uma pessoa; as novas continuam a ir.", "The rows set back wait for a person; new ones are still sent."}, []pair{{"Descubra quem voltou tantas linhas a pendente: um banco restaurado, um UPDATE sem WHERE?", "Find out who set so many rows back to pending: a database that was restored, an UPDATE without WHERE?"}, {"Se foi de propósito: pombo resume --resends envia de novo.", "If it was on purpose: pombo resume --resends sends them again."}, {"Se não foi: pombo cancel --resends grava de novo a situação de cada uma, sem enviar.", "If it was not: pombo cancel --resends writes the status of each again and sends nothing."}}},
	pombo.ForgottenOnDemand: {pair{"Telefone e texto foram apagados a pedido; situação e datas ficam, para que a linha não vá de novo.", "Phone and text were erased on demand; state and dates stay, so that the row is not sent again."}, []pair{{"O pedido e quem o atendeu estão na auditoria.", "The request and who did it are in the audit trail."}}},
}
