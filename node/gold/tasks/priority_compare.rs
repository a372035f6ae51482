//! domain = "traits"
//! difficulty = 2
//! [names]
//! Job = ["Ticket", "WorkItem"]
//! run_order = ["job_order", "schedule"]
//! ---
//! In Rust, write a struct `Job` with the public fields `priority: u8`, `deadline: u32` and `name: String`, and a function
//! `run_order(jobs: Vec<Job>) -> Vec<String>` that returns the names in the order in which the jobs should run: higher
//! priority first, of equal priority the earlier deadline first, of equal deadlines in alphabetical order of their names.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub priority: u8,
    pub deadline: u32,
    pub name: String,
}

pub fn run_order(jobs: Vec<Job>) -> Vec<String> {
    let mut sorted = jobs;
    sorted.sort_by(|a, b| {
        b.priority
            .cmp(&a.priority)
            .then(a.deadline.cmp(&b.deadline))
            .then_with(|| a.name.cmp(&b.name))
    });
    sorted.into_iter().map(|job| job.name).collect()
}

//~ driver
pub fn drive(jobs: Vec<(u8, u32, String)>) -> Vec<String> {
    run_order(
        jobs.into_iter()
            .map(|(priority, deadline, name)| Job {
                priority: priority % 4,
                deadline: deadline % 4,
                name,
            })
            .collect(),
    )
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn order(jobs: &[(u8, u32, &str)]) -> Vec<String> {
        run_order(
            jobs.iter()
                .map(|&(priority, deadline, name)| Job {
                    priority,
                    deadline,
                    name: name.to_string(),
                })
                .collect(),
        )
    }
    #[test]
    fn by_priority() {
        assert_eq!(order(&[(1, 5, "low"), (9, 5, "high")]), ["high", "low"]);
        assert_eq!(
            order(&[(2, 1, "a"), (3, 9, "b"), (1, 0, "c")]),
            ["b", "a", "c"]
        );
    }
    #[test]
    fn by_deadline() {
        assert_eq!(order(&[(1, 7, "late"), (1, 3, "soon")]), ["soon", "late"]);
        assert_eq!(
            order(&[(5, 2, "x"), (5, 1, "y"), (6, 9, "z")]),
            ["z", "y", "x"]
        );
    }
    #[test]
    fn by_name() {
        assert_eq!(order(&[(1, 1, "b"), (1, 1, "a")]), ["a", "b"]);
        assert_eq!(order(&[(0, 0, "B"), (0, 0, "a")]), ["B", "a"]);
    }
    #[test]
    fn few() {
        assert!(order(&[]).is_empty());
        assert_eq!(order(&[(0, 0, "only")]), ["only"]);
    }
}
