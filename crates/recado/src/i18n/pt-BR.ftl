# O que o recado diz em português. en.ftl diz o mesmo; um teste compara os dois.

### Erros do próprio programa

error-prefix = erro:{" "}
error-language = não há o idioma "{ $lang }"; escreva --lang pt-BR ou --lang en
error-no-home = não foi possível encontrar a pasta de dados do recado; indique uma com --home PASTA
error-signals = o sistema não entrega sinais ao recado
error-inherited = um soquete entregue pelo sistema não pode ser usado ({ $cause }); entregue só soquetes TCP e UDP
error-stdout = não é possível escrever na saída padrão
error-secret = o que foi digitado não pode ser lido ({ $cause })

address-empty = o endereço do servidor está vazio; escreva HOST ou HOST:PORTA
address-character = { $character } não cabe no endereço de um servidor; escreva HOST, HOST:PORTA, [IPv6]:PORTA, https://… ou recado://…
address-too-long = nenhum host tem um nome tão longo
address-ipv6 = "{ $text }" não é um endereço IPv6; com porta, escreva [IPv6]:PORTA
address-port = "{ $text }" não é uma porta: portas são números de 1 a 65535
address-scheme = { $scheme }:// não é o endereço de um servidor recado; use https:// ou recado://
address-fingerprint = o endereço recado:// está incompleto ou danificado: depois de HOST:PORTA/ vem SHA256-…; copie-o inteiro
address-secret = o segredo no fim do convite está danificado; copie-o inteiro
address-parts = o endereço recado:// tem mais partes que recado://HOST:PORTA/SHA256-…/SEGREDO

notice-last-server = Usando { $server }, o último servidor usado.

### Configurações

settings-unreadable = não é possível ler ({ $cause })
settings-not-text = não é texto em UTF-8
settings-too-long = passa de 256 KiB, e configurações não são tão longas
settings-syntax = isto não é TOML ({ $cause })
settings-unknown = não existe a configuração "{ $key }"
settings-unknown-table = não existe o comando "{ $key }"
settings-elsewhere =
    "{ $key }" não fica aqui, e sim { $table ->
        [top] no começo, antes de qualquer [tabela]
       *[other] em [{ $table }] ou no começo
    }
settings-suggestion = você quis dizer "{ $suggestion }"?
settings-kind-switch = "{ $key }" é true ou false
settings-kind-number = "{ $key }" é um número inteiro
settings-kind-text = "{ $key }" é um texto entre aspas
settings-kind-list = "{ $key }" é uma lista de textos entre aspas
settings-value = "{ $value }" não serve para "{ $key }"
settings-value-hidden = isto não serve para "{ $key }"
settings-possible = existem { $values }
settings-conflict = "{ $key }" não combina com "{ $other }" (linha { $line }); deixe só um dos dois
config-from-flag = opção
config-from-environment = ambiente, { $name }
config-from-file = arquivo, linha { $line }
config-default = padrão
config-not-set = sem valor
config-file = { $path }
config-file-missing = { $path } (não existe; "recado config init" o escreve)
config-no-file = não foi encontrada uma pasta para os dados do recado
config-unknown-variable = { $name } não é uma variável do recado
config-written = Foi escrito um arquivo com todas as configurações; tire o # das que você quer:
config-exists = { $path } já existe e não é substituído
config-template =
    Configurações do recado. Uma opção vale mais que o ambiente, e o ambiente mais que este arquivo.
    O que fica no começo vale para todo comando que o aceita; o que fica em uma [tabela], para esse comando.
    Caminhos relativos começam na pasta deste arquivo. "recado config" mostra o que vale e de onde vem.
serve-lonely-certificate = --cert e --key andam juntos: a cadeia de certificados e a chave dela, cada um em um arquivo PEM
serve-lonely-acme = --acme-directory, --acme-ca e --acme-forwarded dizem como pedir a uma AC; diga com --acme para qual nome
send-nobody = diga com --to NOME para quem, ou --all para todos

### serve

serve-message-age = --message-age pode ir de { $least } a { $most }
serve-paste = Para entrar a partir de outra máquina, cole lá uma destas linhas:
serve-exposed = ATENÇÃO: o registro está aberto (open), e { $address } é público: qualquer pessoa da Internet pode tomar um nome aqui. Com --registration lan, ou invite, estranhos precisam de um convite ("recado invite").

### Encontrar um servidor

find-list = Servidores nesta rede; o que dizem de si mesmos não está provado:
find-nothing = Nenhum servidor se anuncia nesta rede.
find-more = {"      "}e mais { $count }
find-last = usado por último
find-here = nesta máquina
find-name = diz que se chama "{ $name }"
find-claimed = { $fingerprint }
find-question = Qual deles? O número, ou outro endereço (HOST[:PORTA]) [1]:
find-question-address = O endereço do servidor (HOST[:PORTA]), ou o que deram a você (recado://…):
find-again = Isso não é um número da lista nem um endereço.

### Confiança

trust-question =
    O servidor { $server } ainda não é conhecido aqui. A impressão digital da chave dele é
      { $fingerprint }
    Compare com a que o servidor mostra na própria tela. Se forem iguais,
    não há ninguém no meio.
trust-question-known = Você já conhece este servidor como { $servers }.
trust-question-answer = Confiar nele e lembrar? (s/N)
trust-accepted-loopback = { $server } está nesta máquina; passa a ser confiável e lembrado: { $fingerprint }
trust-accepted-new = { $server } era desconhecido; passa a ser confiável e lembrado, como pede --accept-new: { $fingerprint }
trust-accepted-vouched = { $server } era desconhecido; uma autoridade certificadora responde por ele, e por isso passa a ser confiável e lembrado: { $fingerprint }
trust-contradiction =
    QUEM RESPONDE EM { $server } NÃO É AQUELE POR QUEM UMA AUTORIDADE CERTIFICADORA RESPONDE. Pode haver alguém no meio: nada foi enviado.
      garantido:  { $vouched }
      respondeu:  { $found }
    Pergunte a quem cuida do servidor qual impressão digital é a certa, e repita com --fingerprint.
trust-bad-ca = { $path } não tem certificado de CA que sirva; indique um arquivo PEM que tenha, ou deixe --ca de fora
trust-dates-expired = O certificado de { $server } terminou em { $date }. A chave é a que está lembrada, por isso ele é usado mesmo assim; confira os relógios desta máquina e do servidor.
trust-dates-early = O certificado de { $server } começa em { $date }. A chave é a que está lembrada, por isso ele é usado mesmo assim; confira os relógios desta máquina e do servidor.
trust-conflict = o endereço de { $server } traz a impressão digital { $address }, mas { $given } também foi indicada; deixe só uma
trust-unresolved = não foi possível encontrar o endereço de { $host }; confira o nome e a rede
trust-unreachable = nenhum servidor recado pode ser alcançado em { $server } ({ $attempts }); confira se ele está em execução ("recado serve") e se o endereço está certo
trust-not-recado = não há um servidor recado em { $server } ({ $attempts }); confira o endereço e a porta
trust-bad-certificate = o servidor em { $server } não prova quem é: { $fault }. Não confie nele, e avise quem o administra
trust-unknown = o servidor { $server } não é conhecido aqui. A impressão digital da chave dele é { $fingerprint }. Compare com a que o servidor mostra; se forem iguais, repita com --fingerprint { $fingerprint } (ou com --accept-new, para confiar em quem responder)
trust-declined = { $server } não é confiável; nada foi enviado a ele
trust-changed =
    A CHAVE DE { $server } MUDOU. Alguém pode estar se passando pelo servidor: nada foi enviado.
      lembrada: { $old }
      agora:    { $new }
    Pergunte a quem administra o servidor. Somente se a nova impressão digital for confirmada:
      recado trust replace { $server }
trust-mismatch = o servidor em { $server } não é o esperado: a impressão digital dele é { $found }, mas foi indicada { $given }. Confira o endereço, ou peça de novo a impressão digital
trust-tls = não foi possível preparar o TLS: { $cause }
trust-failure-refused = ninguém escuta ali
trust-failure-no-answer = sem resposta
trust-failure-silent = conectou, mas sem resposta
trust-failure-closed = a conexão foi fechada em seguida
trust-failure-plain-http = um servidor web sem criptografia responde ali
trust-failure-not-tls = o que responde ali não fala TLS
trust-failure-not-recado = o que responde ali não é o recado
trust-fault-root-not-presented = a chave lembrada não está entre os certificados dele
trust-fault-no-issuer = nenhum dos certificados dele emitiu o que ele mostra
trust-fault-forged = a assinatura do certificado dele é falsa
trust-fault-name = o certificado dele não é o de um servidor recado
trust-fault-name-constraint = o certificado dele traz nomes que a raiz não pode garantir
trust-fault-ca-as-leaf = ele mostra o certificado de uma autoridade como se fosse o seu
trust-fault-malformed = os certificados dele estão danificados
trust-fault-handshake = ele não provou ter a chave do próprio certificado
trust-fault-other = os certificados dele descumprem uma regra
trust-none = Nenhum servidor é lembrado ainda.
trust-forgotten = { $server } foi esquecido.
trust-forgotten-identity = A identidade "{ $name }" desse servidor foi apagada.
trust-replaced = { $server } passa a ser lembrado como { $new } (antes: { $old }).
trust-replaced-identity = A identidade "{ $name }" foi levada junto.
trust-replace-question =
    Lembrada para { $server }: { $old }
    Agora ele mostra:        { $new }
    Quem administra o servidor confirmou a nova impressão digital? (s/N)
trust-replace-unconfirmed = { $server } mostra { $new } (lembrada: { $old }). Se quem o administra confirmar: recado trust replace { $server } --fingerprint { $new }
install-saved =
    O certificado raiz de { $server } está em { $path }.
    Ele pode responder pelos nomes daquele servidor e por endereços privados, e por nada mais na Internet.
install-chromium = Chromium, Chrome, Edge e semelhantes (certutil: no Debian, está em libnss3-tools):
install-firefox = Um perfil do Firefox:
install-system = curl, e tudo que segue os certificados do sistema:
install-macos = Safari, Chrome e tudo que segue as chaves do sistema:
install-done = Feito.
install-failed = isso não funcionou: { $cause }
install-not-the-root = o que o servidor dá como certificado raiz não é o da chave que está lembrada; avise quem cuida dele

store-damaged = { $path } está danificado ({ $detail }); restaure-o de uma cópia. Se você o tirar do lugar, cada servidor será perguntado de novo
store-newer = { $path } foi escrito por um recado mais novo; use-o, ou outra pasta com --home
store-not-known = nenhum servidor { $server } é conhecido aqui; "recado trust list" mostra os conhecidos
store-ambiguous = { $host } é conhecido com várias portas e impressões digitais diferentes; indique uma: HOST:PORTA
store-conflict = outra impressão digital é lembrada para { $server }: { $fingerprint }
home-not-a-folder = { $path } não é uma pasta; tire do lugar, ou escolha outra pasta com --home
home-unwritable = não é possível escrever em { $path } ({ $cause }); confira as permissões e o espaço livre, ou escolha outra pasta com --home
home-unreadable = não é possível ler { $path } ({ $cause }); confira as permissões, ou escolha outra pasta com --home
identity-in-use = outro recado nesta máquina está usando o nome "{ $name }"; feche-o, ou use outro nome com --name
identity-retired = o nome "{ $name }" foi levado a outra máquina e está aposentado aqui; para voltar a usá-lo aqui: recado name import ARQUIVO. Ou escolha outro nome com --name
identity-damaged = a chave { $path } está danificada; restaure-a de uma cópia, ou tire a pasta dela do lugar para recomeçar com uma chave nova
identity-crypto = a chave desta identidade não pode ser usada: { $cause }
history-too-new = { $path } foi escrito por uma versão mais nova do recado; use essa
history-failed = { $path } não pode ser lido ou escrito ({ $cause }); verifique o disco e comece de novo. Se o arquivo está danificado, restaure-o de uma cópia
history-damaged = { $path } está danificado ({ $cause }). Restaure-o de uma cópia; ou tire-o do lugar e comece um histórico novo: o que ainda não foi enviado se perde com ele
history-thread = o que grava as mensagens terminou; comece de novo

### Nomes

name-none = Você ainda não tem nome em nenhum servidor.
name-several = você tem o nome "{ $name }" em vários servidores: { $servers }; diga qual com --server
name-not-here = não há o nome "{ $name }" aqui (naquele servidor, se você indicou um); "recado name list" mostra os que há
name-exported = "{ $name }" em { $server } está agora em { $path }, com suas mensagens, e foi aposentado nesta máquina. Na outra máquina: recado name import ARQUIVO. Quem tiver o arquivo e a senha será você; apague-o depois de importar.
name-imported = "{ $name }" está aqui agora: recado chat --server { $server } --name { $name }
name-was-here = "{ $name }" já está aqui, e não está aposentado; nada mudou. Use: recado chat --server { $server } --name { $name }
name-import-conflict = { $server } é lembrado aqui como { $fingerprint } e continua assim; o nome importado é do servidor { $new }.
name-another-key = outra chave já tem o nome "{ $name }" naquele servidor aqui, e não é substituída; se ela não faz falta, tire dali a pasta { $path }
name-file-exists = { $path } já existe e não é substituído; indique outro arquivo
name-file = { $path } não pode ser lido ou escrito ({ $cause })
name-wrong-passphrase = a senha não abre { $path }; tente de novo (ou o arquivo foi alterado)
name-foreign = { $path } não é um arquivo escrito por "recado name export"
name-damaged = { $path } está incompleto ou foi alterado; copie-o de novo de onde foi exportado
name-newer = { $path } foi escrito por um recado mais novo; atualize este
passphrase-prompt = Senha:
passphrase-again = A mesma mais uma vez:
passphrase-differs = as duas não são iguais; nada foi feito
passphrase-missing = falta uma senha: em um terminal o recado pergunta por ela; fora dele, indique-a em { $variable } ou como uma linha na entrada padrão

### Sessões

session-lost = o servidor não respondeu ({ $cause }); tente de novo
session-malformed = o que responde ali não fala o protocolo do recado ({ $cause }); os dois são da mesma versão?
session-local = esta máquina recusa: { $cause }
refused-version = o servidor fala outra versão do protocolo; deixe os dois na mesma versão
refused-name = o nome "{ $name }" não pode ser usado: { $rule }.
refused-taken = o nome "{ $name }" é de outra pessoa neste servidor.
refused-confusable = o nome "{ $name }" pode ser confundido com "{ $resembles }", que é de outra pessoa.
refused-has-name = esta identidade já tem o nome "{ $name }" neste servidor
refused-registration = este servidor não lhe dá um nome novo; peça um convite a quem o administra
refused-later = o servidor não pode aceitar um nome novo agora; tente de novo em { $seconds } s
refused-banned = quem administra este servidor baniu este nome, esta chave ou este endereço
refused-ticket = o convite é desconhecido, já foi usado ou venceu; peça outro
refused-other = o servidor recusa, por um motivo que esta versão não conhece
refused-suggestion = Você pode usar "{ $name }".
name-rule-empty = está vazio
name-rule-too_long = tem mais de 32 caracteres
name-rule-first_character = precisa começar com uma letra ou um algarismo
name-rule-character = só pode ter letras, algarismos e . _ -
name-rule-unknown_character = tem um caractere que esta versão não conhece
name-rule-marks = tem acentos demais em uma letra
name-rule-mixed_digits = mistura algarismos de escritas diferentes
name-rule-direction = mistura letras que correm da esquerda para a direita com letras que correm da direita para a esquerda
name-rule-reserved = é reservado, ou se parece com um nome reservado
name-rule-not_normalisable = os caracteres dele não cabem em uma forma só

### Chat

chat-name-prompt = Digite seu nome de usuário:
chat-prompt = Digite sua mensagem (/udp para chat em grupo, /tcp <destinatário> para mensagem direta):
chat-ready = Você é { $name } em { $server }. /ajuda mostra o que se pode digitar.
chat-global = [UDP] { $from }:
chat-global-unverified = [UDP] { $from } (sem verificação):
chat-global-late = [UDP] { $from } (atrasada):
chat-global-before = [UDP] { $from } (antes de você chegar):
chat-hole =
    { $count ->
        [one] { $number } mensagem para todos se perdeu e não pode mais ser obtida.
       *[other] { $number } mensagens para todos se perderam e não podem mais ser obtidas.
    }
chat-link-open = As mensagens para todos vão por UDP, nos dois sentidos.
chat-link-no-up = O UDP não chega ao servidor: suas mensagens para todos vão por TCP.
chat-link-no-down = Nenhum UDP vem do servidor: as mensagens dos outros para todos vêm por TCP.
chat-link-closed = O UDP não passa: as mensagens para todos vão por TCP.
link-udp = UDP
link-tcp = TCP
link-unknown = desconhecida
chat-link-report =
    Mensagens para todos: enviadas por { $up }, recebidas por { $down }; ida e volta: { $rtt }
    Sondas: { $probes } enviadas, { $lost } sem resposta
    Recebidas: { $datagrams } por UDP, { $frames } por TCP; { $repaired } recuperadas, { $late } atrasadas; { $rejected } datagramas recusados
chat-private = [TCP] Privado de { $from }:
chat-private-again = [TCP] Privado de { $from } (talvez já mostrada):
chat-joined = { $name } entrou
chat-left = { $name } saiu
chat-roster = Presentes: { $names }
chat-unreadable = Uma mensagem de { $from } não pôde ser lida; ela foi pedida de novo.
chat-resealed =
    { $count ->
        [one] [TCP] Para { $to }: { $number } mensagem não pôde ser lida lá; é cifrada com chaves novas e enviada de novo.
       *[other] [TCP] Para { $to }: { $number } mensagens não puderam ser lidas lá; são cifradas com chaves novas e enviadas de novo.
    }
chat-package-refused = [TCP] Para { $to }: esperando: o servidor deu chaves de { $to } que não servem ({ $why }). É tentado de novo.
package-malformed = estão danificadas
package-other_key = são de outra pessoa
package-lifetime = estão vencidas; um dos relógios está errado?
chat-delivered = [TCP] Para { $to }: entregue
chat-stored = [TCP] Para { $to }: guardada; { $to } recebe quando voltar
chat-waiting = [TCP] Para { $to }: esperando: { $why }. Continua sozinha.
waiting-mailbox_full = já há mensagens demais esperando por essa pessoa
waiting-rate = você está escrevendo mais depressa do que o servidor permite
waiting-storage = o disco do servidor está cheio
waiting-no_keys = essa pessoa ainda não entrou com um recado que cifra, ou não entra há muito tempo
chat-missing =
    { $count ->
        [one] Falta aqui { $number } mensagem de { $from }: outra cópia deste histórico ficou com ela.
       *[other] Faltam aqui { $number } mensagens de { $from }: outra cópia deste histórico ficou com elas.
    }
chat-key-changed =
    A CHAVE DE { $name } MUDOU. Alguém pode estar se passando por { $name }: o que você escreveu não foi enviado.
      lembrada: { $old }
      agora:    { $new }
    Pergunte a { $name } por outro meio. Só se a pessoa confirmar: /confiar { $name }
chat-trusted = A chave nova de { $name } é de confiança a partir de agora.
chat-nothing-to-trust = Não há chave nova de { $name } em que confiar.
verify-code =
    O código das chaves de vocês, a sua e a de { $name }:
        { $code }
    Compare com { $name }, por voz ou pessoalmente. Se for igual para os dois: /verificar { $name } sim
    Se não for, há alguém no meio: não continue.
verify-here =
    Você confirmou o código:
        { $code }
    { $name } fica com a marca de verificação (✓) assim que também confirmar.
verify-there =
    { $name } confirmou o código. O seu é:
        { $code }
    Se for igual: /verificar { $name } sim
verify-done =
    Verificação completa com { $name } (✓): os dois confirmaram o código:
        { $code }
verify-differs =
    NÃO É IGUAL. Aqui o código é:
        { $code }
    Foi mal ouvido? Se não foi, há alguém no meio entre você e { $name }: não continue.
verify-unknown = Ninguém se chama { $name }.
verify-what = Depois de /verificar { $name }, escreva sim se o código for igual, ou os dígitos que você ouviu.
chat-blocked = As mensagens de { $name } são recusadas a partir de agora. O mesmo comando volta a aceitá-las.
chat-unblocked = As mensagens de { $name } voltam a ser aceitas.
chat-not-blocked = Nada mudou: ninguém se chama { $name }, ou o servidor não consegue gravar.
chat-log-lost = O servidor foi reiniciado: podem faltar mensagens para todos.
chat-away = A conexão com o servidor caiu ({ $cause }). Ela é tentada de novo; o que você escrever fica guardado e é enviado então.
chat-away-shutdown = o servidor está parando
chat-away-too-slow = este lado não acompanhou
chat-back = A conexão voltou.
chat-nothing-found = Nada foi encontrado.
chat-past-own = [TCP] Para { $to }:
state-queued = na fila
state-stored = guardada
state-delivered = entregue
state-failed = não entregue
chat-disk-full = não há espaço para gravar { $path }; libere algum, a gravação é tentada de novo
chat-disk-full-lost =
    { $count ->
        [one] Não foi enviada a última mensagem. Escreva-a de novo.
       *[other] Não foram enviadas as últimas { $number } mensagens. Escreva-as de novo.
    }
chat-left-queued =
    { $count ->
        [one] { $number } mensagem ainda não foi enviada. Fica guardada e é enviada da próxima vez.
       *[other] { $number } mensagens ainda não foram enviadas. Ficam guardadas e são enviadas da próxima vez.
    }
chat-failed = [TCP] Para { $to }: NÃO entregue: { $why }
chat-failed-global = [UDP] Sua mensagem para todos: NÃO confirmada: { $why }
failure-unreadable = o recado dessa pessoa não conseguiu ler, por mais que fosse cifrada de novo
failure-unknown_name = ninguém tem esse nome
failure-key_changed = esse nome tem outra chave, diferente da de antes
failure-expired = a pessoa não veio buscar a tempo
failure-recipient_gone = esse nome não está mais registrado
failure-blocked = a pessoa não aceita mensagens suas
failure-muted = quem administra o servidor silenciou você
failure-withdrawn = foi retirada
failure-no_echo = o servidor não confirmou; pode ter chegado ou não
failure-other = o servidor deu um motivo que esta versão não conhece
chat-hint-bare = Nada foi enviado: comece com /udp para escrever a todos, ou com /tcp NOME para escrever a uma pessoa.
chat-hint-incomplete = Falta algo: /{ $command } …; /ajuda mostra como se escreve.
chat-hint-unknown = Não há o comando /{ $command }; /ajuda mostra os que há.
chat-error-too-long = Nada foi enviado: uma mensagem tem no máximo { $limit } bytes.
chat-error-not-text = Nada foi enviado: a linha não é texto em UTF-8.
chat-error-name = Nada foi enviado: nenhum nome é tão longo.
chat-error-empty = Nada foi enviado: falta o texto, ou o nome.
chat-error-away = Isso precisa do servidor, e agora não há conexão.
chat-help =
    /udp TEXTO         escreve a todos (também /todos)
    /tcp NOME TEXTO    escreve a uma pessoa (também /privado)
    /arquivo NOME CAMINHO…  oferece arquivos ou pastas a uma pessoa
    /aceitar [NÚMERO]  recebe o que é oferecido (um nome: tudo o que é dele)
    /recusar [NÚMERO]  não recebe, ou termina
    /arquivos          as ofertas que não terminaram
    /historico [NOME]  as últimas mensagens, com uma pessoa, ou (todos) para todos
    /buscar PALAVRAS   mensagens que têm estas palavras
    /calc X OP Y       calcula: /calc 0,1 + 0,2; com --todos ou --para NOME conta o resultado
    /bloquear NOME     recusa as mensagens de alguém, ou volta a aceitar
    /confiar NOME      confia na chave nova de alguém
    /verificar NOME    mostra um código para comparar por voz
    /quem              quem está presente
    /link              por onde as mensagens vão
    /ajuda             esta ajuda
    /sair              termina
chat-ended-taken-over = Você abriu este nome em outro lugar; esta sessão terminou.
chat-ended-kicked = Quem administra o servidor terminou esta sessão.
chat-ended-banned = Quem administra o servidor baniu este nome, esta chave ou este endereço.
chat-ended-protocol = O servidor terminou a sessão: este programa não seguiu o protocolo ({ $cause }). Os dois são da mesma versão?
chat-json-name = --json precisa de --name NOME
chat-ticket-prompt = Convite (recado://HOST:PORTA/SHA256-…/…):
chat-not-a-ticket = isto não é o endereço de um servidor nem um convite ({ $cause })

### Tela cheia

tui-no-screen = não é possível desenhar neste terminal ({ $cause }); escreva: recado chat --plain
tui-connecting = Conectando a { $server } …
tui-trust-title = Servidor desconhecido
tui-trust-server = O servidor { $server } ainda não é conhecido aqui. A impressão digital da chave dele é
tui-trust-explanation =
    Compare com a que o servidor mostra na própria tela, ou pergunte a quem o administra, pessoalmente ou por telefone.

    Se forem iguais, não há ninguém no meio. O servidor é lembrado, e você não verá esta pergunta de novo.
    Se forem diferentes, não confie. Pode haver alguém no meio, que leria tudo.
tui-trust-no = Não confiar
tui-trust-yes = Confiar e lembrar
tui-trust-keys = ← → escolhe · Enter confirma
tui-name-title = Seu nome
tui-name-explanation = Com este nome as outras pessoas verão você em { $server }. Ele passa a ser seu.
tui-opening = abrindo …
tui-away = sem conexão; tentando de novo
tui-ending =
    { $count ->
        [0] terminando …
        [one] terminando: falta guardar { $number } mensagem
       *[other] terminando: falta guardar { $number } mensagens
    }
tui-loss = { $percent } % de perda
tui-unread = { $number } novas
tui-conversations = Conversas
tui-everyone = Todos
tui-here = Presentes ({ $number })
tui-here-unknown = Presentes
tui-you = { $name } (você)
tui-more = e mais { $number }
tui-title-here =
    { $count ->
        [one] { $number } pessoa presente
       *[other] { $number } pessoas presentes
    }
tui-title-is-here = presente
tui-title-is-away = ausente: recebe quando voltar
tui-nothing-yet = Ainda não há mensagens aqui.
tui-beginning = o começo
tui-new = novas
tui-unverified = não verificada
tui-repaired = recuperada
tui-late = { $via } atrasada
tui-before = anterior
tui-joined =
    { $count ->
        [one] { $names } entrou
       *[other] { $names } entraram
    }
tui-left =
    { $count ->
        [one] { $names } saiu
       *[other] { $names } saíram
    }
tui-presence-more =
    { $count ->
        [one] mais { $number } entrada ou saída
       *[other] mais { $number } entradas ou saídas
    }
tui-day = { $weekday }, { $day } de { $month } de { $year }
weekday-1 = segunda-feira
weekday-2 = terça-feira
weekday-3 = quarta-feira
weekday-4 = quinta-feira
weekday-5 = sexta-feira
weekday-6 = sábado
weekday-7 = domingo
month-1 = janeiro
month-2 = fevereiro
month-3 = março
month-4 = abril
month-5 = maio
month-6 = junho
month-7 = julho
month-8 = agosto
month-9 = setembro
month-10 = outubro
month-11 = novembro
month-12 = dezembro
tui-placeholder = Escreva uma mensagem, ou /ajuda
tui-to-recado = Comando
tui-to-everyone = Para todos
tui-to-person = Para { $name }
tui-keys = F1 ajuda
tui-keys-past = Esc: às mais novas
tui-unseen =
    { $count ->
        [one] { $number } nova abaixo · Esc
       *[other] { $number } novas abaixo · Esc
    }
tui-hint-interrupt = O texto foi descartado; ↑ o traz de volta. Ctrl-C mais uma vez termina.
tui-hint-history = PgUp volta no tempo, até onde houver mensagens.
tui-not-written-down = não havia espaço para gravar
tui-file-from = { $number }: { $file } de { $name }
tui-file-to = { $number }: { $file } para { $name }
tui-file-own = { $title }: oferta feita a { $peer }. /cancelar { $number } desiste.
tui-file-folder =
    { $count ->
        [one] { $number } arquivo, { $size }
       *[other] { $number } arquivos, { $size }
    }
tui-file-more =
    { $count ->
        [one] e mais { $number }: /arquivos
       *[other] e mais { $number }: /arquivos
    }
tui-files-left =
    { $count ->
        [one] Ainda há { $number } arquivo em oferta ou a caminho; continua quando você voltar.
       *[other] Ainda há { $number } arquivos em oferta ou a caminho; continuam quando você voltar.
    }
tui-file-relayed = pelo servidor
tui-file-offered = { $size } · /aceitar { $offer } ou /recusar { $offer }
tui-file-waiting = esperando resposta
tui-file-done = em { $path }
tui-file-left = faltam { $time }
tui-search-title = Busca: { $words }
tui-search-looking = Buscando …
tui-search-found =
    { $count ->
        [one] { $number } mensagem · Enter vai até ela · Esc fecha
       *[other] { $number } mensagens · Enter vai até ela · Esc fecha
    }
tui-help-title = Ajuda
tui-help-more = ↑ ↓ PgUp PgDn · Esc fecha
tui-help-close = Esc fecha
tui-help =
    Escrever
      Enter              envia para a conversa que está aberta
      Alt-Enter, Ctrl-J  uma linha nova
      Tab                completa comandos, nomes e caminhos
      ↑ ↓                o que você escreveu antes (Ctrl-P, Ctrl-N)
      Ctrl-W, Ctrl-U     apaga uma palavra, a linha até aqui
      //TEXTO            começa uma mensagem com uma barra
    Ver
      PgUp PgDn          mensagens mais antigas e mais novas
      Ctrl-Home, Esc     a mais antiga já carregada; a mais nova
      Alt-↑ Alt-↓        outra conversa; Alt-1 a Alt-9
      Alt-A              a próxima conversa com algo novo
      Ctrl-F             busca palavras
    Comandos
      /udp TEXTO         escreve a todos (também /todos)
      /tcp NOME TEXTO    escreve a uma pessoa (também /privado)
      /tcp NOME          abre a conversa
      /arquivo NOME …    oferece arquivos ou pastas a uma pessoa
      /aceitar [NÚMERO]  recebe o que foi oferecido (um nome: tudo dela)
      /recusar [NÚMERO]  não recebe, ou interrompe (também /cancelar)
      /arquivos          ofertas que ainda não terminaram
      /buscar PALAVRAS   mensagens que têm estas palavras
      /calc X OP Y       calcula: /calc 0,1 + 0,2
      … --todos, --para NOME e conta o resultado a todos, a uma pessoa
      /bloquear NOME     recusa as mensagens de alguém, ou volta a aceitar
      /confiar NOME      confia na chave nova de alguém
      /verificar NOME    mostra um código para comparar por voz
      /quem              quem está presente
      /link              por onde as mensagens vão
      /sair              termina (também Ctrl-D)
    O que está escrito atrás de uma mensagem
      na fila            gravada nesta máquina, ainda não enviada
      guardada           o servidor a tem, e não a perde
      entregue           quem devia receber já a tem
      udp tcp            o que a trouxe; atrasada: depois de uma mais nova
      recuperada         perdeu-se, foi pedida e veio por TCP
      ?                  não se sabe se é de quem diz ser
      ✓                  ao lado de um nome: a chave foi comparada por voz
    Tela
      Ctrl-L             desenha tudo de novo, sem os arquivos já terminados
      Ctrl-C             descarta o que você escreve; de novo: termina

### Arquivos

file-title = { $name } ({ $size })
file-title-folder =
    { $count ->
        [one] { $name } ({ $number } arquivo, { $size })
       *[other] { $name } ({ $number } arquivos, { $size })
    }
file-offered = { $peer } oferece { $title }. /aceitar { $number } recebe, /recusar { $number } não.
file-offered-before = (de novo) { $peer } oferece { $title }. /aceitar { $number } recebe, /recusar { $number } não.
file-more =
    { $count ->
        [one] e mais { $number }
       *[other] e mais { $number }
    }
file-received = { $title }, de { $peer }, está em { $path }
file-progress = { $title }: { $percent } %, { $rate } por segundo
file-skipped =
    { $count ->
        [one] { $title }: { $number } que não é arquivo nem pasta (atalho, dispositivo) fica de fora
       *[other] { $title }: { $number } que não são arquivos nem pastas (atalhos, dispositivos) ficam de fora
    }
file-none = Não há ofertas.
file-listed-own = { $number }: { $title } para { $peer }: { $state }
file-listed-theirs = { $number }: { $title } de { $peer }: { $state }
file-word-queued = a caminho
file-word-offered = esperando resposta
file-word-accepted = aceito
file-word-running = em andamento
file-word-waiting = esperando
file-word-received = recebido
file-word-declined = recusado
file-word-cancelled = cancelado
file-word-failed = falhou
file-state-own-offered = { $peer } recebeu a oferta de { $title }
file-state-own-accepted = { $peer } aceitou { $title }
file-state-own-running = { $title } para { $peer }: em andamento, { $why }
file-state-own-waiting = { $title } para { $peer }: { $why }; continua sozinho
file-state-own-received = { $title } para { $peer }: recebido
file-state-own-declined = { $peer } recusou { $title }
file-state-own-cancelled = { $title } para { $peer }: cancelado
file-state-own-failed = { $title } para { $peer }: { $why }
file-state-theirs-accepted = { $title } de { $peer }: aceito
file-state-theirs-running = { $title } de { $peer }: em andamento, { $why }
file-state-theirs-waiting = { $title } de { $peer }: { $why }; continua sozinho
file-state-theirs-declined = { $title } de { $peer }: recusado
file-state-theirs-cancelled = { $title } de { $peer }: cancelado
file-state-theirs-failed = { $title } de { $peer }: { $why }
file-route-direct = diretamente
file-route-relay = pelo servidor, que não consegue ler
file-pause-connection = não há conexão
file-pause-disk_full = não há espaço no disco de quem recebe
file-failure-source_changed = mudou desde que foi oferecido; ofereça de novo
file-failure-source_gone = não está mais lá, ou não pode ser lido
file-failure-not_writable = não pode ser gravado no disco de quem recebe
file-failure-protocol = o programa do outro lado não seguiu o protocolo
file-refusal-unreadable = { $detail } não existe, ou não pode ser lido
file-refusal-not_a_file = { $detail } não é um arquivo nem uma pasta
file-refusal-too_large = { $detail } é grande demais para uma só oferta
file-refusal-unknown_offer = não há essa oferta, ou ela já terminou; /arquivos mostra as que há
file-refusal-ambiguous = há várias ofertas: diga qual, pelo número; /arquivos as mostra
file-refusal-answered = esta oferta já foi respondida
file-refusal-no_room = não foi aceita: é preciso { $needed } em { $detail }, e não há espaço; libere algum e aceite de novo
file-refusal-not_writable = não foi aceita: não é possível gravar em { $detail }; outra pasta pode ser indicada com --downloads
file-refusal-oneself = isso seria uma oferta a você mesmo
send-files-timeout = não foi recebido a tempo

### Enviar

send-name = diga com --name NOME quem escreve: não há exatamente um nome seu em { $server }
send-all-delivered = uma mensagem para todos nunca é "entregue"; tire --wait delivered
send-ref-used = este --ref já serviu para outra mensagem; use outro
send-stored = O servidor a tem.
send-delivered = Entregue.
send-failed = não entregue: { $why }
send-not-delivered = o servidor a tem, e ela ainda não foi entregue
send-queued = está na fila e ainda não foi enviada; o mesmo comando com o mesmo --ref continua com ela
send-withdrawn = não pôde ser enviada a tempo e foi retirada; tente de novo
send-unknown = não houve resposta a tempo; pode ter sido enviada ou não
send-ended = o servidor terminou a sessão ({ $cause })

### Calculadora

calc-prompt-method = Tipo de requisição (GET ou POST):
calc-prompt-operation = Operação (soma, subtração, multiplicação ou divisão):
calc-prompt-x = x:
calc-prompt-y = y:
calc-prompt-again = Outro cálculo? (s/N)
calc-result = Resultado: { $result }
calc-what-method = escreva GET ou POST
calc-what-operation = escreva soma, subtração, multiplicação ou divisão (ou + - * /)
calc-what-number = escreva um número, como 2 ou -0,5 ou 6,02e23
calc-ambiguous = isto pode ser lido de duas maneiras; escreva { $decimal } ou { $thousands }
calc-wrong-use = escreva: recado calc [get|post] OPERAÇÃO X Y, como em: recado calc soma 0,1 0,2 (sem nada, ele pergunta)
calc-no-answer = o servidor não respondeu ({ $cause })
calc-strange-answer = a resposta do servidor não pode ser entendida (HTTP { $status }); os dois são da mesma versão?
problem-division-by-zero = um número não pode ser dividido por zero
problem-result-out-of-range = o resultado é grande ou pequeno demais: o expoente passa de { $limit }
problem-unknown-operation = não há a operação "{ $operation }"; há soma, subtração, multiplicação e divisão
problem-empty = o número está vazio
problem-nan = isso não é um número
problem-infinity = infinito não é um número
problem-decimal-comma = escreva um número só com uma vírgula ou um ponto decimal, como em 1,5
problem-thousands-separator = escreva os algarismos sem separadores de milhar
problem-non-ascii-digit = escreva os números com os algarismos de 0 a 9
problem-control-character = o número tem um caractere invisível
problem-space-for-plus = o número tem um espaço onde talvez fosse um sinal de mais
problem-white-space = o número tem um espaço no meio
problem-trailing-characters = há algo depois do número
problem-malformed = isso não é um número; escreva algo como 12, -0,5 ou 6,02e23
problem-too-many-digits = o número tem mais de { $limit } algarismos
problem-exponent-out-of-range = o expoente passa de { $limit }
problem-text-too-long = o número tem mais de { $limit } caracteres
problem-precision-not-whole = a precisão é um número inteiro de 1 a 1000
problem-precision-out-of-range = a precisão é um número inteiro de 1 a { $limit }

### Doutor

doctor-ok = ok
doctor-wrong = ERRO
doctor-untested = não testado
doctor-folder = pasta: é possível escrever em { $path }, e mais ninguém pode lê-la
doctor-folder-missing = pasta: não existe a pasta { $path }
doctor-folder-unwritable = pasta: não é possível escrever em { $path } ({ $cause })
doctor-folder-open = pasta: outras pessoas nesta máquina podem ler { $path }
doctor-folder-hidden = pasta: { $path } não é deste usuário, que não pode olhar dentro
doctor-disk = disco: há { $free } MiB livres para { $path }
doctor-disk-full = disco: há só { $free } MiB livres para { $path }. Veja o que pode sair:
doctor-database = banco de dados: { $path } está inteiro
doctor-database-damaged = banco de dados: { $path } está danificado ({ $cause }). Traga-o de volta de uma cópia, sem nada em execução:
doctor-database-restore = cp CÓPIA '{ $path }'
doctor-database-newer = banco de dados: { $path } foi escrito por uma versão posterior do recado; use aquela
doctor-database-unreadable = banco de dados: não é possível olhar { $path } ({ $cause })
doctor-port-own = porta { $port }: é do recado (processo { $pid })
doctor-port-free = porta { $port }: está livre e pode ser usada
doctor-port-free-now = porta { $port }: agora está livre; um servidor que for reiniciado passa a usá-la
doctor-port-unknown = porta { $port }: o servidor a usa
doctor-port-taken = porta { $port }: { $name } (processo { $pid }) a usa. Encerre esse programa, ou escolha outra porta com recado serve --listen:
doctor-port-taken-by-whom = porta { $port }: outro programa a usa. Veja qual, ou escolha outra porta com recado serve --listen:
doctor-port-denied = porta { $port }: não é permitida a este usuário. Permita, ou escolha outra porta com recado serve --listen:
doctor-port-other = porta { $port }: não pode ser usada ({ $cause }). Veja o que foi pedido:
doctor-addresses-none = endereços: só esta máquina alcança o servidor
doctor-addresses-private = endereços: { $addresses }; são privados, então ninguém chega pela Internet, a não ser que um roteador encaminhe a porta
doctor-addresses-public = endereços: { $addresses }
doctor-after-that = resolva antes o que foi apontado acima
doctor-clock = relógio: o desta máquina e o do servidor concordam
doctor-clock-untold = relógio: o servidor não informa o dele
doctor-clock-ahead = relógio: o do servidor está { $seconds } s adiantado em relação ao desta máquina. Acerte os dois pela rede:
doctor-clock-behind = relógio: o do servidor está { $seconds } s atrasado em relação ao desta máquina. Acerte os dois pela rede:
doctor-version = versão: { $version }, aqui e lá
doctor-version-untold = versão: o servidor não informa a dele
doctor-version-server-old = versão: o servidor tem { $server }, e esta é { $client }. Na máquina do servidor:
doctor-version-client-old = versão: o servidor tem { $server }, e esta é { $client }. Nesta máquina:
doctor-mtu = caminho: passam pacotes de { $mtu } bytes
doctor-mtu-small = caminho: passam pacotes de { $mtu } bytes no máximo, e os datagramas inteiros precisam de { $needed }: mensagens longas para todos chegam mais tarde, por TCP. Se a causa for a rede desta máquina:
doctor-name = nome: { $host } é { $addresses }
doctor-tcp = TCP: { $address } atende
doctor-tls = TLS 1.3: a chave do servidor é { $fingerprint } ({ $reason })
doctor-trust-given = indicada
doctor-trust-vouched = garantida por uma autoridade
doctor-trust-confirmed = confirmada por você
doctor-trust-accepted = aceita por --accept-new
doctor-trust-loopback = de um servidor nesta máquina
doctor-trust-replaced = aceita no lugar de outra
doctor-https = HTTPS: 0.1 + 0.2 = 0.3, exato
doctor-https-wrong = HTTPS: o servidor não calcula 0.1 + 0.2 ({ $cause })
doctor-session = sessão: aberta com o nome { $name }, e fechada outra vez
doctor-session-none = UDP: exige uma sessão, e ninguém nesta máquina tem um nome nesse servidor ainda. Entre uma vez, e repita:
doctor-session-in-use = UDP: exige uma sessão, e o nome "{ $name }" está em uso nesta máquina; escreva /link na conversa dele
doctor-session-ended = sessão: o servidor a terminou, ou não diz nada há muito tempo; tente de novo
doctor-udp-up = UDP até o servidor: { $came } de { $sent } datagramas chegaram
doctor-udp-up-wrong = UDP até o servidor: nenhum de { $sent } datagramas chegou; TCP os substitui. Deixe passar a porta UDP { $port } na máquina do servidor, e em cada firewall até lá:
doctor-udp-down = UDP vindo do servidor: { $back } de { $came } respostas chegaram; ida e volta: { $rtt } ms
doctor-udp-down-wrong = UDP vindo do servidor: nenhuma de { $came } respostas chegou; TCP as substitui. Deixe passar o que vem da porta UDP { $port } do servidor, nesta máquina e em cada firewall até lá:
doctor-udp-down-untested = UDP vindo do servidor: ele só responde ao que chega

### Demonstração

demo-intro = O recado inteiro, nesta máquina: um servidor e três pessoas, que terminam sozinhos.
demo-server = Um servidor começa em uma porta livre e mostra a impressão digital da chave: { $fingerprint }
demo-people = A, B e C entram, cada pessoa com a própria chave.
demo-calculation = Um cálculo por { $method }: { $command }
demo-result = {"  "}A resposta: { $result }
demo-global = A escreve a todos: { $line }
demo-private = A escreve só a B: { $line }
demo-shows = {"  "}{ $name } vê: { $line }
demo-shows-nothing = {"  "}{ $name } não vê nada disso.
demo-done = Tudo chegou como devia. Agora é com você: recado serve, e em outros terminais recado chat.
demo-explain-https = {"  "}Foi por HTTPS: HTTP/1.1 dentro de TLS 1.3, pela porta TCP { $port }.
demo-explain-tcp = {"  "}Foi por TCP: um quadro dentro da sessão TLS 1.3 de cada uma das duas pessoas, porta { $port }; o cliente de B confirmou o recebimento.
demo-explain-udp = {"  "}Foi por UDP: um datagrama selado com AES-256-GCM até o servidor, e um para cada uma das três pessoas, porta { $port }.
demo-explain-wire = {"  "}No fio: { $count } bytes do cliente ao servidor, e { $text } não pode ser lido entre eles. Terminam assim:
demo-failed = a demonstração deu errado: { $cause }
demo-failed-line = { $name } viu "{ $found }" onde se esperava "{ $expected }"
demo-failed-missing = { $name } não viu "{ $expected }" a tempo
demo-failed-process = { $command } não pôde ser executado ou terminou cedo demais
demo-failed-plaintext = o texto de uma mensagem podia ser lido no fio

### Uso errado

usage-options = [OPÇÕES]
usage-help = --help mostra mais.
usage-suggestion = Talvez seja { $suggestion }.
usage-unknown-argument = não há o argumento { $argument } aqui
usage-unknown-command = não há o comando { $command }
usage-missing-command = falta um comando: { $commands }
usage-no-value = { $argument } precisa de um valor
usage-choose = "{ $value }" não é um valor de { $argument }; há: { $valid }
usage-bad-value = "{ $value }" não é um valor de { $argument }: { $why }
usage-bad-secret = o que foi indicado em { $argument } não pode ser usado: { $why }
usage-conflict = { $argument } e { $other } não combinam; deixe um deles de fora
usage-twice = { $argument } foi indicado mais de uma vez
usage-missing = falta: { $arguments }
usage-too-many = "{ $value }" está sobrando em { $argument }
usage-other = { $cause }
usage-default = [padrão: { $value }]
usage-values = [valores: { $value }]
usage-variable = [variável: { $value }]
value-command = COMANDO
value-dir = PASTA
value-file = ARQUIVO
value-path = CAMINHO
value-port = PORTA
value-addr = ENDEREÇO
value-name = NOME
value-when = QUANDO
value-who = QUEM
value-format = FORMATO
value-ticket = CONVITE
value-text = TEXTO
value-state = ESTADO
value-seconds = SEGUNDOS
value-operation = OPERAÇÃO
value-theme = TEMA
value-key = CHAVE
value-limit = LIMITE
value-period = PERÍODO
value-value = VALOR

### O manual

man-manual = recado
man-name = NOME
man-synopsis = SINOPSE
man-examples = EXEMPLOS
man-possible-values = Valores possíveis:
man-variable = Também pela variável{" "}
man-default = padrão:

### Administração

admin-no-server = nenhum servidor está em execução em { $folder }; inicie um com "recado serve", ou indique a pasta dele com --data-dir
admin-not-here = neste sistema não é possível administrar um servidor em execução: isso exige um socket Unix. Rode o servidor no Linux ou no macOS
admin-not-allowed = o servidor em { $folder } é de outro usuário: só ele, e o root, podem administrá-lo (tente: sudo -u USUÁRIO recado …)
admin-refused-no-such-name = ninguém tem esse nome
admin-refused-not-here = essa pessoa não está aqui agora
admin-refused-not-banned = não há esse banimento; "recado admin bans" lista os que existem
admin-refused-not-muted = essa pessoa não está silenciada; "recado admin mutes" lista quem está
admin-refused-no-such-invite = não há esse convite; "recado invite list" lista os que existem
admin-refused-not-a-name = isso não pode ser o nome de ninguém
admin-refused-not-a-key = uma chave tem 64 dígitos hexadecimais; "recado admin list" as mostra
admin-refused-not-a-network = isso não é endereço nem rede que possa ser banida: escreva ENDEREÇO ou ENDEREÇO/BITS, como 192.0.2.7 ou 2001:db8::/48
admin-refused-no-such-limit = não há esse limite; "recado admin limits" lista os que existem
admin-refused-out-of-range = isso é pouco ou demais: { $detail }
admin-refused-too-many = já existem tantos quantos pode haver; desfaça alguns antes
admin-refused-fixed = isso foi indicado ao "recado serve" quando o servidor foi iniciado; mude lá
admin-refused-busy = uma cópia de segurança já está sendo feita
admin-refused-unavailable = o servidor não consegue fazer isso agora; tente de novo
admin-limit-seconds = escreva um período, como 12h ou 30d, ou: default
admin-limit-bytes = escreva um tamanho, como 64MiB, ou: default
admin-limit-count = escreva um número inteiro, ou: default
admin-kicked = A sessão de { $name } foi terminada.
admin-banned = Banido: { $what }. Sessões terminadas: { $ended }. Mensagens descartadas que o esperavam: { $dropped }.
admin-banned-name = Ninguém tem o nome { $what }. De agora em diante ninguém o consegue, nem um parecido.
admin-unbanned = Não está mais banido: { $what }.
admin-muted = Silenciado: { $name }. O que escrever é recusado.
admin-unmuted = Não está mais silenciado: { $name }.
admin-released = O nome { $name } está livre. Mensagens descartadas que esperavam o dono dele: { $dropped }.
admin-backed-up = A cópia de segurança é { $path }. Ela contém a chave do servidor: quem a tiver pode se passar por ele.
admin-restored = Os dados em { $folder } estão como na cópia de segurança ({ $date }). Inicie o servidor; o que foi enviado depois, quem enviou envia de novo.
admin-replaced = O que havia antes foi guardado em { $path }.
invite-made = Convite { $id }: dá entrada a nomes novos ({ $uses } no máximo) até { $date }. Qualquer uma das linhas acima serve.
invite-closed = O registro neste servidor está fechado (closed): enquanto for assim, o convite não dá entrada a ninguém.
invite-open = O registro neste servidor está aberto (open): todos entram, também sem convite.
invite-revoked = O convite { $id } não dá mais entrada a ninguém. Quem entrou com ele mantém o nome.

### Ajuda

help = Uma linha privada para uma turma, uma equipe ou uma casa: mensagens e contas exatas, com criptografia, na sua própria máquina.
help-heading-usage = Uso:
help-heading-commands = Comandos
help-heading-options = Opções
help-heading-arguments = Argumentos
help-help = Mostra esta ajuda
help-version = Mostra a versão
help-server = O servidor: HOST, HOST:PORTA, [IPv6]:PORTA, https://… ou recado://…
help-lang = O idioma: pt-BR ou en
help-home = A pasta para os dados do recado
help-config-file = O arquivo de configuração [padrão: config.toml na pasta do recado]
help-fingerprint = A impressão digital que o servidor precisa ter
help-ca = Uma CA, em um arquivo PEM, que pode responder por um servidor desconhecido, no lugar das do sistema
help-accept-new = Confia em um servidor desconhecido sem perguntar
help-quiet = Omite perguntas e avisos
help-color = Quando usar cores: auto, always ou never
help-examples =
    Exemplos:
      recado serve                     serve esta rede
      recado chat --name Alice         conversa
      recado calc divisao 1 3          calcula com exatidão
      recado demo --explain            mostra tudo em ação
help-serve = Serve esta rede: uma porta, TCP e UDP
help-serve-listen = Onde escutar; pode ser repetido [padrão: em todo lugar, porta 443, ou 8443 onde aquela não está disponível]
help-serve-data-dir = Onde ficam chaves e nomes [padrão: server/ na pasta do recado]
help-serve-registration = Quem pode registrar um nome novo: lan (de endereços privados, e de fora com um convite), open (todos), invite (com um convite) ou closed (ninguém)
help-serve-message-age = Quanto tempo uma mensagem privada espera pelo destinatário, como 12h ou 30d [padrão: 30d, ou o que recado admin limits disser]
help-serve-host = Um nome ou endereço público que o certificado deve trazer; pode ser repetido
help-serve-cert = Uma cadeia de certificados para navegadores e outros que não são clientes do próprio recado, em PEM; vigiada
help-serve-key = A chave dela, em PEM; vigiada
help-serve-acme = Um nome para o qual se pede a uma CA um certificado assim, sob os termos de serviço dela; pode ser repetido
help-serve-acme-directory = O diretório ACME da CA [padrão: o da Let's Encrypt]
help-serve-acme-ca = O certificado raiz pelo qual se confia na própria CA, em PEM [padrão: os do sistema]
help-serve-acme-forwarded = A porta 443 é encaminhada para a porta deste servidor
help-serve-metrics = Onde métricas, /healthz e /readyz são ditos em HTTP simples: um endereço só desta máquina, como 127.0.0.1:9464
help-serve-trusted-proxy = Um proxy, ou uma rede deles, em cujo X-Forwarded-For se confia; pode ser repetido
help-serve-no-discovery = Não anuncia este servidor na rede local
help-serve-log-format = Como os registros são escritos: text ou json
help-serve-examples =
    Exemplos:
      recado serve
      recado serve --listen 192.168.1.20:8443 --data-dir /srv/recado
help-chat = Conversa: com todos por /udp, com uma pessoa por /tcp
help-chat-ticket = O convite ou endereço que você recebeu: recado://HOST:PORTA/SHA256-…[/SEGREDO]; - o lê da entrada padrão
help-chat-name = Seu nome
help-chat-plain = Linha por linha, sem tela cheia
help-chat-json = Um objeto JSON por linha, para programas
help-chat-ack = Quando uma mensagem privada conta como recebida, com --json: auto (quando é gravada) ou manual (quando o programa diz)
help-chat-history = Mostra antes as últimas mensagens
help-chat-theme = Como a tela cheia é colorida: auto, dark (escura), light (clara) ou contrast (contraste)

help-chat-downloads = A pasta para os arquivos que você recebe
help-chat-accept-from = Pessoas de quem os arquivos são aceitos sem perguntar, separadas por vírgulas
help-chat-relay-only = Envia e recebe arquivos só pelo servidor, para que outros não conheçam os endereços desta máquina
help-chat-examples =
    É melhor indicar um convite em RECADO_TICKET, ou na entrada padrão: outros nesta máquina veem argumentos.

    Exemplos:
      recado chat --name Alice
      recado chat recado://192.168.1.20:8443/SHA256-… --name Alice
      echo '/udp O jantar está na mesa' | recado chat --plain --name Alice
help-send = Envia uma mensagem, também ao lado de uma conversa aberta
help-send-name = Seu nome; dispensável onde você só tem um
help-send-to = Para quem
help-send-all = Para todos
help-send-text = O que dizer; - lê da entrada padrão
help-send-file = Arquivos e pastas a enviar; espera até que sejam recebidos
help-send-relay-only = Envia só pelo servidor, para que outros não conheçam os endereços desta máquina
help-send-ref = Uma palavra que representa esta mensagem: enviada de novo, é a mesma
help-send-wait = O que esperar: stored (guardada) ou delivered (entregue)
help-send-timeout = Quantos segundos esperar
help-send-examples =
    Exemplos:
      recado send --to Bob "O jantar está pronto"
      recado send --all --name Alice - < aviso.txt
      recado send --to Bob --file fotos relatorio.pdf
      recado send --to Bob --ref copia-17 --wait delivered "A cópia está pronta"
help-calc = Calcula com exatidão, por HTTPS; sem argumentos, pergunta
help-calc-words = get ou post (get se não for dito), uma operação (soma subtracao multiplicacao divisao, ou + - * /) e dois números
help-calc-precision = Algarismos significativos de um resultado que precisa ser arredondado, de 1 a 1000 [padrão: 34]
help-calc-output = Como o resultado é escrito: text ou json
help-calc-examples =
    Exemplos:
      recado calc soma 0,1 0,2
      recado calc post / 1 3 --precision 50
      recado calc
help-doctor = Examina a ligação com um servidor: nome, TCP, TLS, HTTPS, UDP
help-doctor-data-dir = A pasta de dados de um servidor nesta máquina [padrão: server/ na pasta do recado, ou /var/lib/recado]
help-doctor-output = Como o resultado é escrito: text ou json
help-doctor-examples =
    Exemplos:
      recado doctor
      recado doctor --server 192.168.1.20:8443 --output json
help-config = Mostra todas as configurações que valem, e de onde vêm: opção, ambiente, arquivo ou padrão
help-config-examples =
    Exemplos:
      recado config
      recado config --output json
      recado config init
help-config-output = Como é escrito: text ou json
help-config-init = Escreve um arquivo com todas as configurações, cada uma comentada
help-config-init-examples =
    Exemplos:
      recado config init
      sudo recado config init --config /etc/recado/config.toml
help-completions = Escreve um script com que o shell completa as palavras do recado
help-completions-shell = O shell: bash, zsh, fish, elvish ou powershell
help-completions-examples =
    Exemplos:
      recado completions bash > ~/.local/share/bash-completion/completions/recado
      recado completions zsh > ~/.zfunc/_recado
      recado completions fish > ~/.config/fish/completions/recado.fish
help-man = Escreve as páginas do manual, nas duas línguas
help-man-folder = A pasta para elas
help-man-examples =
    Exemplos:
      recado man ~/.local/share/man
      man recado-serve
help-demo = Mostra tudo em ação, só nesta máquina
help-demo-explain = Mostra, passo a passo, o que levou o quê, e os bytes selados
help-demo-examples =
    Exemplo:
      recado demo --explain
help-trust = Em quais servidores se confia, e por quê
help-trust-list = Lista os servidores lembrados
help-trust-show = Mostra o que é lembrado de um servidor
help-trust-show-host = O servidor
help-trust-forget = Esquece um servidor, e as identidades que ele conhece
help-trust-forget-host = O servidor
help-trust-replace = Aceita a chave nova de um servidor, e leva as identidades junto
help-trust-replace-host = O servidor
help-trust-install = Mostra o que os navegadores precisam para aceitar o certificado de um servidor
help-trust-install-host = O servidor, que precisa ser conhecido
help-trust-install-apply = Faz isso também, até onde não precisa do superusuário
help-trust-list-examples =
    Exemplo:
      recado trust list
help-trust-show-examples =
    Exemplo:
      recado trust show chat.example.org
help-trust-forget-examples =
    Exemplo:
      recado trust forget 192.168.1.20:8443
help-trust-replace-examples =
    Exemplo, com a impressão digital que quem cuida do servidor confirmou:
      recado trust replace chat.example.org --fingerprint SHA256:…
help-trust-install-examples =
    Exemplos:
      recado trust install chat.example.org
      recado trust install chat.example.org --apply
help-trust-examples =
    Exemplos:
      recado trust list
      recado trust replace chat.example.org
help-name = Seus nomes em servidores, e como levar um a outra máquina
help-name-list = Lista seus nomes: servidor, nome, chave, e se está livre (free), em uso (in-use) ou aposentado (retired)
help-name-export = Leva um nome, com a chave e as mensagens, a um arquivo; ele é aposentado aqui
help-name-export-name = O nome; com --server onde vários servidores conhecem você por ele
help-name-export-file = O arquivo, que ainda não pode existir
help-name-import = Traz um nome de um arquivo
help-name-import-file = O arquivo
help-name-list-examples =
    Exemplo:
      recado name list
help-name-export-examples =
    Exemplos:
      recado name export Alice alice.age
      recado name export Alice alice.age --server chat.example.org
help-name-import-examples =
    Exemplo:
      recado name import alice.age
help-name-examples =
    A senha é perguntada; ou indique-a em RECADO_PASSPHRASE, ou como uma linha na entrada padrão.

    Exemplos:
      recado name list
      recado name export Alice alice.age
      recado name import alice.age
help-data-dir = A pasta de dados do servidor em questão [padrão: server/ na pasta do recado, ou /var/lib/recado]
help-output = Como os resultados são escritos: text ou json
help-invite = Faz um convite que dá entrada a um servidor desta máquina; lista os que há, ou cancela um
help-invite-uses = A quantas pessoas ele dá entrada
help-invite-expires = Por quanto tempo, como 12h ou 7d
help-invite-address = Um endereço para o convite, em lugar dos que o servidor conhece; pode ser repetido
help-invite-list = Lista os convites: número, estado, usos, quando vence, quando foi feito
help-invite-revoke = Cancela um convite
help-invite-revoke-id = O número dele
help-invite-list-examples =
    Exemplo:
      recado invite list
help-invite-revoke-examples =
    Exemplo:
      recado invite revoke 3
help-invite-examples =
    Exemplos:
      recado invite
      recado invite --uses 30 --expires 1d
      recado invite --address chat.example.org:443
      recado invite revoke 3
help-admin = Administra um servidor desta máquina: pessoas, nomes, limites, cópias de segurança
help-admin-list = Lista quem tem um nome: nome, chave, aqui (here) ou ausente (away), endereço, caminho
help-admin-list-here = Somente quem está aqui
help-admin-kick = Termina a sessão de alguém, que pode voltar
help-admin-kick-name = O nome
help-admin-kick-key = A chave, em lugar do nome
help-admin-ban = Deixa alguém de fora: uma pessoa, uma chave, ou endereços. O que espera por ela é descartado
help-admin-ban-name = Um nome: a chave dele é banida; se ninguém o tem, ninguém o consegue
help-admin-ban-key = Uma chave
help-admin-ban-address = Um endereço ou uma rede; um endereço IPv6 sozinho é o seu /64
help-admin-unban = Deixa alguém entrar de novo
help-admin-unban-name = Um nome
help-admin-unban-key = Uma chave
help-admin-unban-address = Um endereço ou uma rede, como foi banido
help-admin-bans = Lista quem está banido
help-admin-mute = Recusa o que alguém escreve, a todos e a uma pessoa
help-admin-mute-name = O nome
help-admin-mute-key = A chave, em lugar do nome
help-admin-unmute = Volta a aceitar o que alguém escreve
help-admin-unmute-name = O nome
help-admin-unmute-key = A chave, em lugar do nome
help-admin-mutes = Lista quem está silenciado
help-admin-release = Tira um nome da sua chave: qualquer um pode tê-lo então. O que espera pelo dono é descartado
help-admin-release-name = O nome
help-admin-limits = Mostra quanto pode haver de tudo, ou muda isso de forma duradoura
help-admin-limits-limit = De quê
help-admin-limits-value = Quanto; "default" é o que vale por si
help-admin-stats = Conta o que há
help-admin-backup = Escreve num arquivo tudo o que faz o servidor, a chave dele também, enquanto ele funciona
help-admin-backup-file = O arquivo; uma cópia mais antiga é substituída
help-admin-restore = Põe uma cópia de segurança no lugar do que há, que é guardado; não com o servidor em execução
help-admin-restore-file = A cópia de segurança
help-admin-list-examples =
    Exemplos:
      recado admin list
      recado admin list --here
help-admin-kick-examples =
    Exemplo:
      recado admin kick Mallory
help-admin-ban-examples =
    Exemplos:
      recado admin ban Mallory
      recado admin ban --address 203.0.113.0/24
help-admin-unban-examples =
    Exemplos:
      recado admin unban Mallory
      recado admin unban --address 203.0.113.0/24
help-admin-bans-examples =
    Exemplo:
      recado admin bans
help-admin-mute-examples =
    Exemplo:
      recado admin mute Mallory
help-admin-unmute-examples =
    Exemplo:
      recado admin unmute Mallory
help-admin-mutes-examples =
    Exemplo:
      recado admin mutes
help-admin-release-examples =
    Exemplo:
      recado admin release Mallory
help-admin-limits-examples =
    Exemplos:
      recado admin limits
      recado admin limits message-age 14d
help-admin-stats-examples =
    Exemplo:
      recado admin stats --output json
help-admin-backup-examples =
    Exemplo:
      recado admin backup /srv/backup/recado.db
help-admin-restore-examples =
    Exemplo:
      recado admin restore /srv/backup/recado.db
help-admin-examples =
    Exemplos:
      recado admin list --here
      recado admin ban Mallory
      recado admin ban --address 203.0.113.0/24
      recado admin limits message-age 14d
      recado admin backup /srv/backup/recado.db
      recado admin restore /srv/backup/recado.db --data-dir /srv/recado
