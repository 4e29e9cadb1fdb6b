# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The texts of a review, in each of its languages."""

from __future__ import annotations

import typing as t

from .model import APPLY, CHECK, MIXED

LANGUAGES = ("en", "pt-BR")
# How else people write a language, without regard to case.
_OTHER_NAMES = {"pt": "pt-BR", "en-us": "en", "en-gb": "en"}

# Each text in the order of LANGUAGES. A text for a number has two forms with a bar between: for one, and for any other number.
TEXTS: dict[str, tuple[str, str]] = {
    # Actions, in the three tenses of a review: check run, apply, and both in one run.
    "create.check": ("to create", "a criar"),
    "create.apply": ("created", "criado|criados"),
    "create.mixed": ("create", "criar"),
    "update.check": ("to update", "a alterar"),
    "update.apply": ("updated", "alterado|alterados"),
    "update.mixed": ("update", "alterar"),
    "adopt.check": ("to adopt", "a adotar"),
    "adopt.apply": ("adopted", "adotado|adotados"),
    "adopt.mixed": ("adopt", "adotar"),
    "failed": ("failed", "com falha"),
    "unknown": ("unknown", "desconhecido|desconhecidos"),
    "unrecorded": ("applied, not recorded", "aplicado sem registro|aplicados sem registro"),
    "not_attempted": ("not attempted", "não enviado|não enviados"),
    "no_log": ("hidden", "oculto|ocultos"),
    "async": ("not awaited", "não aguardado|não aguardados"),
    "none": ("unchanged", "sem mudança"),
    "unlisted": ("unlisted", "fora da lista"),
    "failed_tasks": ("task failed|tasks failed", "tarefa com falha|tarefas com falha"),
    "no_log_tasks": ("task hidden|tasks hidden", "tarefa oculta|tarefas ocultas"),
    "async_tasks": (
        "task not awaited|tasks not awaited",
        "tarefa não aguardada|tarefas não aguardadas",
    ),
    "lost_tasks": (
        "task of unknown outcome|tasks of unknown outcome",
        "tarefa de resultado desconhecido|tarefas de resultado desconhecido",
    ),
    "stopped_tasks": (
        "task interrupted|tasks interrupted",
        "tarefa interrompida|tarefas interrompidas",
    ),
    "at_most": ("at most", "no máximo"),
    "nothing": ("none", "nenhum"),
    "dids": ("DID|DIDs", "DID|DIDs"),
    "tasks": ("task|tasks", "tarefa|tarefas"),
    "lines": ("line|lines", "linha|linhas"),
    "ranges": ("range|ranges", "faixa|faixas"),
    "in_ranges": ("{dids} in {ranges}", "{dids} em {ranges}"),
    "more_dids": ("and {dids} more", "e mais {dids}"),
    "more_ranges": ("and {ranges} more with {dids}", "e mais {ranges} com {dids}"),
    "results": ("result|results", "resultado|resultados"),
    # Headings
    "title": ("Review of DIDs", "Revisão de DIDs"),
    "headline.check": ("What would change", "O que mudaria"),
    "headline.apply": ("What was changed", "O que foi alterado"),
    "headline.plan_refused": ("What was refused", "O que foi recusado"),
    "headline.mixed": (
        "What was changed, and what would change",
        "O que foi alterado, e o que mudaria",
    ),
    "mode.check": ("Check run: nothing was sent", "Verificação: nada foi enviado"),
    "mode.apply": ("Applied", "Aplicado"),
    "mode.plan_refused": (
        "The plan was refused: nothing was sent",
        "O plano foi recusado: nada foi enviado",
    ),
    "mode.mixed": (
        "Some tasks were applied, others ran in check mode",
        "Algumas tarefas foram aplicadas, outras rodaram em modo de verificação",
    ),
    "tag.interrupted": ("interrupted", "interrompida"),
    "interrupted": (
        "The run did not come to its end. DIDs that are not named here may need another run.",
        "A execução não chegou ao fim. DIDs não citados aqui podem precisar de outra execução.",
    ),
    "partial": (
        "The run did not come to its end, or was still under way when this was written. DIDs that are not named here may need another run.",
        "A execução não chegou ao fim, ou ainda estava em andamento quando isto foi escrito. DIDs não citados aqui podem precisar de outra"
        " execução.",
    ),
    "recorded_only": (
        "What an interrupted task applied is shown as the registry recorded it. Its failures are not known here.",
        "O que uma tarefa interrompida aplicou aparece como o registro gravou. As falhas dela não são conhecidas aqui.",
    ),
    "reported_only": (
        "Only what was reported is shown. What an interrupted task applied is in the registry: did_info with runs and history shows it.",
        "Aparece somente o que foi informado. O que uma tarefa interrompida aplicou está no registro: did_info com runs e history mostra.",
    ),
    "tag.check": ("check run", "verificação"),
    "tag.apply": ("applied", "aplicado"),
    "tag.plan_refused": ("refused", "recusado"),
    "decision": ("Needs a decision", "Pedem uma decisão"),
    "create": ("New DIDs", "DIDs novos"),
    "routes": ("Changes of where calls go", "Mudanças no destino das chamadas"),
    "other": ("Other changes", "Outras mudanças"),
    "unlisted_heading": (
        "In the registry, but not in the list",
        "No registro, mas não na lista",
    ),
    "provenance": ("What was compared", "O que foi comparado"),
    # Provenance
    "platform": ("Platform", "Plataforma"),
    "registry": ("Registry", "Registro"),
    "checksum": ("Plan checksum", "Checksum do plano"),
    "location": ("Kept in", "Guardado em"),
    "before_note": (
        "Values before are what this registry last applied, at the time given. The platform cannot be asked what it holds now.",
        "Os valores anteriores são o que este registro aplicou por último, na data indicada. Não é possível consultar na plataforma"
        " os valores atuais.",
    ),
    "made": ("Made", "Gerado em"),
    "last_applied": ("last applied", "aplicado por último em"),
    "never_applied": ("values before not known", "valores anteriores desconhecidos"),
    "recorded": (
        "recorded, never applied by this registry",
        "registrado, nunca aplicado por este registro",
    ),
    "backoff": (
        "The platform asked for fewer requests {refusals} times (429); the run went down to {concurrency} at a time.",
        "A plataforma pediu menos requisições {refusals} vezes (429); a execução reduziu para {concurrency} por vez.",
    ),
    "omitted": (
        "Only counted: {dids}. The result of a failed task does not name them all; with details: true it does.",
        "Apenas contados: {dids}. O resultado de uma tarefa com falha não cita todos; com details: true, cita.",
    ),
    "no_difference": (
        "no difference to what was last applied: all declared fields are sent again",
        "sem diferença do que foi aplicado por último: todos os campos declarados são reenviados",
    ),
    "similar_to": (
        "may be a known number in another notation:",
        "pode ser um número já conhecido, escrito de outra forma:",
    ),
    "repeated_heading": ("Named more than once", "Citados mais de uma vez"),
    "repeated": (
        "More than one result speaks of the same DID, and each is counted. In check mode each was planned as if the others did not run.",
        "Mais de um resultado trata do mesmo DID, e cada um é contado. Em modo de verificação, cada um foi planejado como se os outros"
        " não rodassem.",
    ),
    "times": ("{n} times", "{n} vezes"),
    "record": ("record {id}", "cadastro {id}"),
    "nameless": ("DID without a number", "DID sem número"),
    "from_to": ("from {before} to {after}", "de {before} para {after}"),
    "message_of_first": (
        "The message about the first of them:",
        "A mensagem sobre o primeiro deles:",
    ),
    "platform_said": ("the platform said", "a plataforma disse"),
    "http_status": ("HTTP status {n}", "status HTTP {n}"),
    # What a review says of itself where the module said nothing.
    "why.no_log": (
        "Hidden by no_log: what was done or would be done here is not in this review.",
        "Oculto por no_log: o que foi ou seria feito aqui não está nesta revisão.",
    ),
    "why.async": (
        "Started in the background, and its end was not asked for (async_status), was lost or was hidden: it is not in this review.",
        "Iniciado em segundo plano, e o fim não foi consultado (async_status), perdeu-se ou foi oculto: não está nesta revisão.",
    ),
    "why.lost": (
        "Started in the background, and its job cannot be found: what it applied is not known here. It is in the registry (did_info).",
        "Iniciado em segundo plano, e o job não foi encontrado: não se sabe aqui o que ele aplicou. Isso está no registro (did_info).",
    ),
    "why.stopped": (
        "Under way when the run ended, or when this was written. It reported no result.",
        "Em andamento quando a execução terminou, ou quando isto foi escrito. Não informou nenhum resultado.",
    ),
    "why.job_lost": (
        "Started in the background, and its job cannot be found: whether it was applied is not known here. It is in the registry (did_info).",
        "Iniciado em segundo plano, e o job não foi encontrado: não se sabe aqui se foi aplicado. Está no registro (did_info).",
    ),
    "why.not_attempted": (
        "Not attempted: the run stopped before it, or apply_at_most left it to a later run.",
        "Não enviado: a execução parou antes, ou apply_at_most o deixou para uma próxima execução.",
    ),
    "why.plan_refused": (
        "Not attempted: the plan was refused, and nothing was sent.",
        "Não executado: o plano foi recusado, e nada foi enviado.",
    ),
    "why.host_unreachable": (
        "Ansible could not reach the host, or lost it while the module ran. Ansible's output says why; what was begun is in the registry (did_info).",
        "O Ansible não alcançou o host, ou o perdeu enquanto o módulo rodava. A saída do Ansible diz por quê; o que foi iniciado está no registro"
        " (did_info).",
    ),
    "why.no_result": (
        "Ansible ended the task without a result of the module. Its output says why; what was begun is in the registry (did_info).",
        "O Ansible encerrou a tarefa sem um resultado do módulo. A saída dele diz por quê; o que foi iniciado está no registro (did_info).",
    ),
    "uncounted": ("how many DIDs is not known", "não se sabe quantos DIDs"),
    "of_which_failed": ("{n} failed", "{n} com falha"),
    "nothing_here": (
        "Everything is as declared. There is nothing to decide.",
        "Tudo está como declarado. Não há nada a decidir.",
    ),
    # What Markdown leaves out
    "cut_lines": (
        "{lines} about {dids} left out here to keep this short; review.html and review.json have them.",
        "Só em review.html e review.json, para encurtar este texto: {lines} sobre {dids}.",
    ),
    "cut_messages": (
        "Messages are shortened here to keep this short; review.html and review.json have them whole.",
        "As mensagens foram abreviadas para encurtar este texto. Elas estão completas em review.html e review.json.",
    ),
    "cut_runs": (
        "{tasks} left out here to keep this short; review.html and review.json have them.",
        "Só em review.html e review.json, para encurtar este texto: {tasks}.",
    ),
    # Under the counts: what each kind means
    "legend": ("What these words mean", "O que estas palavras significam"),
    "about.unrecorded": (
        "The platform applied it and the registry could not record it. Record it before anything else.",
        "A plataforma aplicou e o registro não pôde gravar. Registre o DID antes de qualquer outra coisa.",
    ),
    "about.unknown": (
        "A request may or may not have been applied. Look the DID up on the platform.",
        "Uma requisição pode ter sido aplicada ou não. Procure o DID no painel da plataforma.",
    ),
    "about.failed": (
        "Certainly not applied. The message says why.",
        "Com certeza não aplicado. A mensagem diz por quê.",
    ),
    "about.not_attempted": (
        "Nothing was sent for it. A later run does it.",
        "Nada foi enviado para ele. Uma próxima execução o faz.",
    ),
    "about.create": (
        "New to the registry: a PUT makes it on the platform.",
        "Novo para o registro: um PUT o cria na plataforma.",
    ),
    "about.update": (
        "In the registry, with other values: a POST edits it.",
        "No registro, com outros valores: um POST o altera.",
    ),
    "about.adopt": (
        "On the platform under a known id, and new to the registry: a POST sets all declared fields.",
        "Na plataforma com um id conhecido, e novo para o registro: um POST define todos os campos declarados.",
    ),
    "about.none": (
        "As declared: nothing is sent.",
        "Como declarado: nada é enviado.",
    ),
    "about.unlisted": (
        "In the registry, and not in the list. Nothing is done about it.",
        "No registro, mas não na lista. Nada é feito a respeito.",
    ),
    "about.failed_tasks": (
        "The task failed before it could count its DIDs.",
        "A tarefa falhou antes de contar os seus DIDs.",
    ),
    "about.no_log": (
        "Hidden by no_log, so not in this review.",
        "Oculto por no_log, portanto fora desta revisão.",
    ),
    "about.async": (
        "Started in the background, and its result did not arrive here.",
        "Iniciado em segundo plano, e o resultado não chegou aqui.",
    ),
    "about.lost": (
        "Started in the background, and its job cannot be found. The registry has what it applied.",
        "Iniciado em segundo plano, e o job não foi encontrado. O registro tem o que ele aplicou.",
    ),
    "about.stopped": (
        "Under way when the run ended. Run again: what was applied is not sent twice.",
        "Em andamento quando a execução terminou. Rode de novo: o que foi aplicado não é enviado duas vezes.",
    ),
    "settle": ("Settle all open DIDs together", "Resolver juntos todos os DIDs em aberto"),
    # The page
    "chart": ("Share of each outcome", "Proporção de cada resultado"),
    "show_only": ("Show only some kinds", "Mostrar só alguns tipos"),
    "search": ("Search number, field or value", "Buscar número, campo ou valor"),
    "sort": ("Order", "Ordem"),
    "sort.number": ("by number", "por número"),
    "sort.list": ("as in the list", "como na lista"),
    "sort.size": ("most DIDs first", "mais DIDs primeiro"),
    "sort.age": ("longest unchanged first", "há mais tempo sem mudança"),
    "parts": ("Numbers", "Números"),
    "customer": ("customer {id}", "cliente {id}"),
    "customers": ("customer|customers", "cliente|clientes"),
    "not_known": ("not known", "desconhecido"),
    # The outcomes of DIDs in the registry that are not confirmed
    "outcome.unknown": ("outcome not known", "resultado desconhecido"),
    "outcome.uncertain": ("last edit uncertain", "última alteração incerta"),
    "outcome.under_way": ("under way", "em andamento"),
    "shown": ("{lines} with {dids}", "{lines} com {dids}"),
    "no_match": ("Nothing matches.", "Nada encontrado."),
    "clear": ("Show all", "Mostrar tudo"),
    "copy": ("Copy {number}", "Copiar {number}"),
    "copy_text": ("Copy", "Copiar"),
    "of": ("{shown} of {all}", "{shown} de {all}"),
    "show_more": ("Show {n} more of {rest}", "Mostrar mais {n} de {rest}"),
    "left_out": (
        "{lines} with {dids} not on this page, and not found by its search; review.json has them.",
        "Só em review.json, fora desta página e da busca dela: {lines} com {dids}.",
    ),
    "left_names": ("{dids} more in review.json.", "Mais {dids} em review.json."),
    "copied": ("Copied", "Copiado"),
    "skip": ("Skip to the list", "Ir para a lista"),
    "more": ("How to go on", "Como prosseguir"),
    "total": ("in all", "no total"),
    "of_total": ("of {total}", "de {total}"),
}

_DONE = ("create", "update", "adopt")
_TROUBLES = ("unrecorded", "unknown", "failed", "not_attempted")
_UNSEEN = (
    *("no_log", "async", "failed_tasks"),
    *("lost_tasks", "stopped_tasks", "no_log_tasks", "async_tasks"),
)
_REST = ("none", "unlisted")
# The order of the counts in the closing line, and in the files, where what needs a decision comes first.
CLOSING_ORDER = (*_DONE, *_TROUBLES, *_UNSEEN, *_REST)
REVIEW_ORDER = (*_TROUBLES, *_UNSEEN, *_DONE, *_REST)


def find_language(name: str) -> str | None:
    """Return the language that a name means, such as C(pt_BR) or C(pt_BR.UTF-8); None if there are no texts in it."""
    plain = name.strip().split(".")[0].replace("_", "-").lower()
    names = {language.lower(): language for language in LANGUAGES}
    return {**names, **_OTHER_NAMES}.get(plain)


class Translations:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, key: str, **values: t.Any) -> str:
        """Return a text with its placeholders filled."""
        text = TEXTS[key][self._column]
        return text.format(**values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in TEXTS

    def form(self, key: str, number: int) -> str:
        """Return the form of a text that fits a number, without the number."""
        forms = TEXTS[key][self._column].split("|")
        return forms[0] if number == 1 else forms[-1]

    def about(self, kind: str) -> str:
        """Return what a kind of outcome means."""
        return self(f"about.{kind if f'about.{kind}' in TEXTS else kind.removesuffix('_tasks')}")

    def count(self, key: str, number: int) -> str:
        """Return a number with what is counted."""
        return f"{self.number(number)} {self.form(key, number)}"

    def number(self, number: int) -> str:
        """Return a number as the language writes it."""
        return f"{number:,}".replace(",", "." if self.language == "pt-BR" else ",")

    def closing_mode(self, mode: str) -> str:
        """Return the tense of the closing line. In English, one form of a verb serves all; in Portuguese, it would read as yet to be done."""
        return MIXED if self.language == "en" else mode

    def kind(self, kind: str, mode: str | None, number: int = 1) -> str:
        """Return the word for a kind of outcome, in the tense of a check run, an apply, or both."""
        tense = f"{kind}.{mode or MIXED}"
        return self.form(tense if tense in TEXTS else kind, number)


def tense(outcome: str) -> str:
    """Return the tense for the outcome of one DID."""
    return CHECK if outcome == "planned" else APPLY
