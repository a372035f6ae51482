//! domain = "types"
//! difficulty = 1
//! [names]
//! Shape = ["Figure", "Outline"]
//! ---
//! Define an enum `Shape` in Rust with the variants `Circle { radius: f64 }`, `Rect { width: f64, height: f64 }` and
//! `Triangle { a: f64, b: f64, c: f64 }` (its three sides), and a method `area(&self) -> Option<f64>`. Lengths must be
//! positive, and in a triangle each side must be shorter than the other two together; otherwise the area is `None`. Use
//! Heron's formula for triangles.

#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Circle { radius: f64 },
    Rect { width: f64, height: f64 },
    Triangle { a: f64, b: f64, c: f64 },
}

impl Shape {
    pub fn area(&self) -> Option<f64> {
        match *self {
            Shape::Circle { radius } if radius > 0.0 => {
                Some(std::f64::consts::PI * radius * radius)
            }
            Shape::Rect { width, height } if width > 0.0 && height > 0.0 => Some(width * height),
            Shape::Triangle { a, b, c } if a + b > c && b + c > a && a + c > b => {
                let half = (a + b + c) / 2.0;
                Some((half * (half - a) * (half - b) * (half - c)).sqrt())
            }
            _ => None,
        }
    }
}

//~ driver
pub fn drive(kind: u8, a: i8, b: i8, c: i8) -> Option<String> {
    let (a, b, c) = (f64::from(a) / 4.0, f64::from(b) / 4.0, f64::from(c) / 4.0);
    let shape = match kind % 4 {
        0 => Shape::Circle { radius: a },
        1 => Shape::Rect {
            width: a,
            height: b,
        },
        _ => Shape::Triangle { a, b, c },
    };
    shape.area().map(|area| format!("{area:.3}"))
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn area(shape: Shape) -> f64 {
        shape
            .area()
            .map_or(-1.0, |area| (area * 1000.0).round() / 1000.0)
    }
    fn triangle(a: f64, b: f64, c: f64) -> f64 {
        area(Shape::Triangle { a, b, c })
    }
    #[test]
    fn circles() {
        assert_eq!(area(Shape::Circle { radius: 1.0 }), 3.142);
        assert_eq!(area(Shape::Circle { radius: 2.0 }), 12.566);
        assert_eq!(area(Shape::Circle { radius: 0.0 }), -1.0);
    }
    #[test]
    fn rectangles() {
        assert_eq!(
            area(Shape::Rect {
                width: 2.0,
                height: 3.5
            }),
            7.0
        );
        assert_eq!(
            area(Shape::Rect {
                width: -2.0,
                height: 3.0
            }),
            -1.0
        );
        assert_eq!(
            area(Shape::Rect {
                width: 2.0,
                height: 0.0
            }),
            -1.0
        );
    }
    #[test]
    fn triangles() {
        assert_eq!(triangle(3.0, 4.0, 5.0), 6.0);
        assert_eq!(triangle(2.0, 2.0, 2.0), 1.732);
        assert_eq!(triangle(5.0, 5.0, 6.0), 12.0);
    }
    #[test]
    fn impossible() {
        assert_eq!(triangle(1.0, 2.0, 3.0), -1.0);
        assert_eq!(triangle(3.0, 1.0, 2.0), -1.0);
        assert_eq!(triangle(1.0, 5.0, 2.0), -1.0);
        assert_eq!(triangle(0.0, 1.0, 1.0), -1.0);
    }
}
