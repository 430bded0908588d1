package blip

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden replaces words that were removed from a text.
const hidden = "…"

// Bounds of text from outside: how much of it is read, and how much is kept.
const (
	longestText   = 4 << 10
	longestDetail = 200
)

// known reduces a text from outside to the words of a fixed list, the codes of
// WhatsApp and small numbers, in one line; "" when there are none. Anything else may
// be a name, a phone or the text of a message in any spelling, which no search for
// patterns finds, so it is removed. A single letter, such as an article or an initial,
// is removed without a mark.
//
// The types pombo.Private and phone.Number keep our own data from being printed; this
// is for the one thing that has no type, the text of the other side.
func known(s string) string {
	if len(s) > longestText {
		s = s[:longestText]
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return !inWord(r) })
	numbers := smallNumbers(words)
	var b strings.Builder
	rest, gap, some := s, false, false
	for _, w := range words {
		at := strings.Index(rest, w)
		rest = rest[at+len(w):]
		w = strings.Trim(w, "'’_")
		if utf8.RuneCountInString(w) < 2 && !isNumber(w) {
			continue
		}
		if isNumber(w) && (numbers && len(w) <= smallDigits || isCode(w)) || vocabulary[strings.ReplaceAll(strings.ToLower(w), "’", "'")] {
			if b.Len()+len(hidden)+len(w)+2 > longestDetail {
				gap = true
				break
			}
			if gap {
				space(&b).WriteString(hidden)
			}
			space(&b).WriteString(w)
			if rest != "" && strings.IndexByte(".,:;", rest[0]) >= 0 && (len(rest) == 1 || rest[1] == ' ') {
				b.WriteByte(rest[0])
			}
			gap, some = false, true
			continue
		}
		gap = true
	}
	if !some {
		return ""
	}
	if gap {
		space(&b).WriteString(hidden)
	}
	return b.String()
}

func space(b *strings.Builder) *strings.Builder {
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	return b
}

// inWord reports whether r is part of a word: "localizable_params" is one, and so
// is "doesn't".
func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || r == '_' || r == '\'' || r == '’' || r == utf8.RuneError
}

// smallDigits is how many digits a text may have besides codes, all together: a count
// or an HTTP status, and too few to identify a phone.
const smallDigits = 3

// smallNumbers reports whether the numbers of a text are a count or two. A phone can
// be split into pieces of any size with anything in between, so either all are kept or
// none.
func smallNumbers(words []string) bool {
	digits := 0
	for _, w := range words {
		if isCode(w) {
			continue
		}
		for _, r := range w {
			if unicode.IsNumber(r) {
				digits++
			}
		}
	}
	return digits <= smallDigits
}

// isNumber reports whether s is a number in plain digits.
func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isCode reports whether s is one of WhatsApp's long codes. A short one could be a
// part of a phone; the code that decided precedes the text anyway.
func isCode(s string) bool {
	n, err := strconv.Atoi(s)
	_, ok := decisions[cause{channel, n}]
	return err == nil && ok && n >= 10_000 && s == strconv.Itoa(n)
}

// vocabulary has the words that are kept: those of the errors of WhatsApp, Blip and
// LIME, in English and Portuguese, and what joins them. No word here is a common name
// of a person, or says anything about one: that is why "will", "may" and "campos" are
// missing.
var vocabulary = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(vocabularyText) {
		m[w] = true
	}
	return m
}()

//nolint:misspell // half of it is Portuguese
const vocabularyText = `
an and are as at be because been being but by can can't cannot could couldn't did didn't do does doesn't for from
had has hasn't have if in into is isn't it its more must no not of on only or out over part same should some than that
the their then there these this those to too under unless until up was wasn't were when where which while with
within without you your

accept accepted access account accounts action active address after again agent aggregate allowed already alternative
answer api app application approved array attempt attribute authenticated authentication authorization authorized
available backend bad base before below between blip blocked blocking body bot broken builder business button buttons cache
call campaign cancelled canceled capability carousel category certificate change changed channel character characters check
chosen client closed code codes command commands component components configuration configured conflict connect
connection contact contacts content context contexts conversation correct count country create created creation credit
data date deactivated default delay deleted deliver delivered delivery denied deprecated destination destinations
detail details determine device different disabled disconnected dispatch document documents domain domains down download
downstream duplicate ecosystem eligibility empty enabled end endpoint engagement envelope error errors event exceed exceeded
exceeds exist exists expected experiment expired external failed failure family field fields file files first flow
footer forbidden format forward found function gateway general graph group header headers healthy high hit host hour hours
http https id identifier identity image in-between incompatible incomplete incorrect index instance integrity intermittent
internal invalid issue item items json key language large last later length less level license limit limited limits
link list local localizable_params location locked login long low maintain maintenance malformed marketing match matches
maximum media message messages messaging meta metadata method mime minimum minute minutes mismatch missing mode
multiple name named namespace near need needed network new next node none notification notifications null number
numbers object occurred offline old once onboarding online operation opt opted option order original outside own
owner packet pair param parameter parameters params parse parsed partner passed password paused payload payment pending
permission permissions phone phone_number place placeholder plan please policies policy port portfolio position possible
post postmaster presence previous problem process processed processing product production profile property proxy published
put quality query quota quote range rate rates reach reachable reached read ready reason receive received receiver
receiving recent recipient recipients refused register registered registration rejected relationship release remote
removed reopen repeat replace reply request requested requests required reset resource resources response restricted
result resumable retries retry risk router routing rule rules second seconds section security send sender sending
sent sequence server service services session set setting setup size slow something source spam specified stanza started
state status step stop stopped storage store stream string sub subcode such supported suspended switch system tag
take target template templates temporarily temporary terms test text throttled throughput ticket time timed timeout
timestamp title token tool took traffic transaction transfer translated translation transport tries trouble try
trying tunnel type types unable unauthorized unavailable undeliverable undelivered unexpected unknown unreachable unregistered
unsubscribed unsupported unverified update updated upload uri url usage use used user user's users utf valid validate
validation value values variable variables verification verified verify version via video violated violation volume
waba wait waiting webhook went whatsapp window word words write wrong xml re re-engagement

bytes certificate dial eof handshake lookup peer refused signed socket tcp tls unknown x509

en en_us es es_es pt pt_br text_plain plain lime html

ao aos as com como da das de do dos e em esta está este existe foi há já mais na nas não nem no nos num numa ou
para pela pelo por pode podem que se sem ser seu sua são só também tem uma um à às é

aceita aceito acesso alterado análise aplicativo aprovada aprovado arquivo ativa ativo atingido atualizado atualização
autenticação autorizada autorizado autorização bloqueada bloqueado bloqueio botão botões cabeçalho campanha
canal cancelada cancelado cancelamento caracteres categoria certificado chamada chave cliente código códigos
comando componente componentes conexão configuração configurado conta contas contato conteúdo conversa cota corpo
criação criado dados desabilitado desativada desativado desconhecida desconhecido destinatário destinatários
destino diferente disponível documento elegibilidade endereço entrega entregue envelope enviada enviado enviar envio
erro erros espera esperado está excedeu excedida excedido existem expirada expirado expirou falha falhou fechada
formato gateway habilitado horas identidade identificador idioma imagem inacessível inativo incorreta
incorreto incompatível indisponível inexistente inesperado insuficiente interna interno inválida inválido janela limite
limites lista manutenção marketing máximo mensagem mensagens método mídia mínimo minutos modelo modelos momento
negada negado nome notificação notificações nova número números obrigatória obrigatório operação parâmetro parâmetros
pausada pausado pendente permissão permissões permitida permitido política possível problema processamento qualidade
quantidade recebida recebido recurso recusada recusado rejeitada rejeitado remetente requisição resposta restrito
rodapé segundos segurança senha serviço servidor sessão situação solicitação suportado tamanho taxa telefone tempo
temporariamente temporário tente texto tipo tradução usuário usuários utilizado válida válido vazio valor valores variáveis
variável vídeo
`
