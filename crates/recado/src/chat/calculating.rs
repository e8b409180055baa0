//! The calculator beside a chat: a task that asks the same server over the same trust, one question after the other,
//! while the chat goes on.

use recado_client::trust::Trusted;
use tokio::sync::mpsc;

use crate::calculator::{Answer, Calculation, Calculator, CalculatorError};

/// Calculations that may wait; then no more is taken from a program that asks for many.
const QUEUE: usize = 64;

/// A calculation, and what is to become of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) calculation: Calculation,
    /// To whom the result is to be said.
    pub(crate) say_to: SayTo,
    /// Comes back with the answer.
    pub(crate) reference: Option<String>,
}

/// To whom the result of a calculation is to be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SayTo {
    /// Only to whoever asked.
    Nobody,
    /// To everyone.
    All,
    /// To one person.
    One(String),
}

/// An answer, or why there is none.
pub(crate) struct Calculated {
    pub(crate) asked: Asked,
    pub(crate) answer: Result<Answer, CalculatorError>,
}

/// The way to the task, which begins with the first question.
pub(crate) struct Calculating {
    trusted: Trusted,
    task: Option<(mpsc::Sender<Asked>, mpsc::Receiver<Calculated>)>,
    waiting: usize,
}

impl Calculating {
    pub(crate) fn new(trusted: Trusted) -> Self {
        Self {
            trusted,
            task: None,
            waiting: 0,
        }
    }

    /// Whether one more may be asked.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting < QUEUE
    }

    /// Whether answers are still to come.
    pub(crate) fn is_busy(&self) -> bool {
        self.waiting > 0
    }

    /// Asks; the answer comes by [`next`](Self::next). One beyond the room there is has none.
    pub(crate) fn ask(&mut self, asked: Asked) {
        let (questions, _) = self.task.get_or_insert_with(|| start(self.trusted.clone()));
        if questions.try_send(asked).is_ok() {
            self.waiting += 1;
        }
    }

    /// The next answer. Can be dropped without loss.
    pub(crate) async fn next(&mut self) -> Calculated {
        let answered = match &mut self.task {
            Some((_, answers)) => answers.recv().await,
            None => None,
        };
        match answered {
            Some(calculated) => {
                self.waiting = self.waiting.saturating_sub(1);
                calculated
            }
            // Nothing was asked; a panic of the task has been told by itself.
            None => std::future::pending().await,
        }
    }
}

fn start(trusted: Trusted) -> (mpsc::Sender<Asked>, mpsc::Receiver<Calculated>) {
    let (questions, mut queue) = mpsc::channel::<Asked>(QUEUE);
    let (answered, answers) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut calculator = Calculator::new(trusted);
        while let Some(asked) = queue.recv().await {
            let answer = calculator.ask(&asked.calculation).await;
            if answered.send(Calculated { asked, answer }).await.is_err() {
                return;
            }
        }
    });
    (questions, answers)
}
