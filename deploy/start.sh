#!/bin/sh
# Inicia o Pombo: a API e o job em um só processo. O job começa quando a API
# está pronta, sem esperar 20 segundos às cegas. Fica ao lado do programa (ou em
# deploy/, com o programa na pasta de cima). Para rodar como serviço, use
# pombo.service.
set -eu

cd "$(dirname "$0")"
[ -x ./pombo ] || cd ..
if [ ! -x ./pombo ]; then
  echo "Não encontrei o programa pombo em $(dirname "$0") nem na pasta de cima." >&2
  echo "Copie o pombo para junto de start.sh e tente de novo." >&2
  exit 2
fi

if [ $# -eq 0 ] && [ ! -f .env ]; then
  echo "Não encontrei o arquivo .env em $PWD." >&2
  echo "O .env dos scripts antigos serve. Para começar um novo, copie .env.example" >&2
  echo "para .env e preencha KEYBLIP, TEMPLATE_NAME e os dados do banco." >&2
  exit 78
fi

exec ./pombo start "$@"
